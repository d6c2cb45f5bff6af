"""A reader per kind of file: each makes the same typed network of it, and runs nothing of it."""
