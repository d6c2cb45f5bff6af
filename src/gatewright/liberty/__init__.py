"""Cell libraries in Liberty format, read into typed values and checked."""
