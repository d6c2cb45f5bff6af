"""Cell libraries in Liberty format: read within bounds, as typed values."""
