"""Benchmarks of speed and quality, with peers measured in the same run: `python -m benchmarks`."""
