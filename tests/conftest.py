"""Profiles of the property-based tests."""

from hypothesis import settings

# `make fuzz`; examples take as long as the machine needs.
settings.register_profile("fuzz", max_examples=5000, deadline=None)
