"""The Yosys of this environment."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

from gatewright.errors import InputError


@functools.cache
def yosys_version() -> str:
    """Version of the Yosys in this environment.

    Raises:
        InputError: if there is none.
    """
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        raise InputError("Yosys is not installed; type: pip install pyosys") from None


def yosys_share() -> Path:
    """Folder of Yosys' own files, which its commands call "+".

    Raises:
        InputError: if Yosys is not installed.
    """
    yosys_version()
    spec = find_spec("pyosys")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "share"
