"""Searches: which configurations to try, on which workers, and what is the front."""
