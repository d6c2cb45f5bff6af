"""Keeps the process that runs steps of recipes for the next recipe, like searches do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gatewright.compress import process


@contextmanager
def kept_process() -> Iterator[None]:
    """Context in which recipes of one directory share a process, since TensorFlow starts slowly."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "_keeping", True)
        yield
        end_kept_process()


def end_kept_process() -> None:
    """Make the next recipe start a new process."""
    process._close_spare()
