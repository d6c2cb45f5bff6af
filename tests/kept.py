"""The process that does steps of recipes, kept for the next recipe as searches do it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gatewright.compress import process


@contextmanager
def kept_process() -> Iterator[None]:
    """Within, recipes of one folder share a process; starting TensorFlow takes most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "_keeping", True)
        yield
        end_kept_process()


def end_kept_process() -> None:
    """Have the next recipe start a process of its own."""
    process._close_spare()
