"""Searches for the Pareto front over configurations: samplers, workers, early stopping."""
