"""Reports: one schema of figures, and the views of it."""
