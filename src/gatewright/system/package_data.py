"""Where the data that travels with the package stands: `rtl/`, `sim/`, `hls/`."""

from __future__ import annotations

from pathlib import Path

#: The target where none is named: a file of `hls/targets`.
DEFAULT_TARGET = "xcup"

_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir(name: str) -> Path:
    """Directory of packaged data: "rtl", "sim" or "hls"; in a checkout, the checkout's own."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / name
