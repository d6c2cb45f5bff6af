"""Profiles of property-based tests, a cache of the command line's commands, a quick compiler."""

from functools import cache

import pytest
import typer.main
from hypothesis import HealthCheck, settings

from gatewright.emulation import build

# `make fuzz`; examples take as long as the machine needs.
settings.register_profile("fuzz", max_examples=5000, deadline=None)
# Otherwise the same examples each time, however busy the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def parsed_commands():
    """Cache Typer's commands, since creating them for each call takes longer than most calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def quickly_compiled():
    """Compile hls4ml's C++ without optimization: few samples run, and it takes up to a third less.

    Commands that tests run as processes of their own optimize it.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "OPTIMIZATION", "-O0")
        yield
