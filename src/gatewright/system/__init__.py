"""What the operating system offers: files written whole, child processes within limits, caches."""
