"""Operating system services: atomic file writes, child processes under limits, caches."""
