"""Typed results; a step of the flow and the report use the same classes."""
