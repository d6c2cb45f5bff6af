"""Cologne Chip GateMate."""
