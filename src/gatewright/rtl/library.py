"""The library modules of `rtl/`, their dependencies and files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gatewright.system.package_data import data_dir

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: The modules, each with the modules that it instantiates.
LIBRARY: dict[str, tuple[str, ...]] = {
    "gw_accumulate": ("gw_reduce",),
    "gw_cast": (),
    "gw_concat": (),
    "gw_credit": (),
    "gw_crop": ("gw_within",),
    "gw_delay": (),
    "gw_feed": (),
    "gw_fifo": (),
    "gw_fork": (),
    "gw_frame": (),
    "gw_gearbox": ("gw_last",),
    "gw_last": (),
    "gw_line_buffer": (),
    "gw_loop": (),
    "gw_maximum": ("gw_reduce",),
    "gw_pad": ("gw_within",),
    "gw_reduce": (),
    "gw_repeat": (),
    "gw_resize": (),
    "gw_shift": (),
    "gw_upsample": ("gw_line_buffer",),
    "gw_window": ("gw_line_buffer",),
    "gw_within": (),
}


def library_files(modules: Iterable[str]) -> tuple[str, ...]:
    """Files of library modules in compile order, including those that they instantiate.

    Args:
        modules: names of modules; those that are not in the library are ignored.
    """
    files: dict[str, None] = {}
    for module in sorted(set(modules) & LIBRARY.keys()):
        files |= dict.fromkeys([*library_files(LIBRARY[module]), f"{module}.sv"])
    return tuple(files)


def copy_library(files: Iterable[str], directory: Path) -> None:
    """Copy files of the library into a directory."""
    for file in files:
        shutil.copyfile(data_dir("rtl") / file, directory / file)
