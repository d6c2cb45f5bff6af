"""The installed Yosys."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

from gatewright.errors import InputError


@functools.cache
def yosys_version() -> str:
    """Version of the installed Yosys.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        raise InputError("Yosys is not installed; type: pip install pyosys") from None


def yosys_share() -> Path:
    """Directory of Yosys' own files, "+" in its commands.

    Raises:
        InputError: if Yosys is not installed.
    """
    yosys_version()
    spec = find_spec("pyosys")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "share"
