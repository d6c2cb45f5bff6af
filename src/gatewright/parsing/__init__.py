"""Reads users' files within limits into typed values; no type is guessed, no code is run."""
