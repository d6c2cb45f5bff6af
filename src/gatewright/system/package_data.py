"""Paths of the data in the package: `rtl/`, `sim/`, `hls/`."""

from __future__ import annotations

from pathlib import Path

#: The default target, a file of `hls/targets`.
DEFAULT_TARGET = "xcup"

_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir(name: str) -> Path:
    """Directory of packaged data, "rtl", "sim" or "hls"; in a checkout, that of the checkout."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / name
