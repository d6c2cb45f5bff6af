"""Results as typed values, the same class from the step that makes them to the report."""
