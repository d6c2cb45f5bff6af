"""Anlogic EG4."""
