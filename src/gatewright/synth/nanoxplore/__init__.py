"""NanoXplore."""
