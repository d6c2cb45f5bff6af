"""Profiles of the property-based tests."""

from hypothesis import HealthCheck, settings

# `make fuzz`; examples take as long as the machine needs.
settings.register_profile("fuzz", max_examples=5000, deadline=None)
# Otherwise the same examples each time, however busy the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
