"""Vendor tools: reads their reports, and writes and runs projects for them."""
