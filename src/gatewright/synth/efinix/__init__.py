"""Efinix Trion."""
