"""Readers of model files: each makes the same typed network, and runs no code of the file."""
