"""Verilog models of a library's cells, written by Yosys from their functions."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.liberty.library import load_library
from gatewright.synth.yosys import yosys_version
from gatewright.synth.yosys_commands import run_commands
from gatewright.system.cache import cache_dir, kept, key_of
from gatewright.system.files import make_way, replaced_file

if TYPE_CHECKING:
    from gatewright.liberty.library import Cell, CellLibrary

_SECONDS = 600
_EDGES = {"rising_edge": "posedge", "falling_edge": "negedge"}


def write_models(path: Path) -> Path:
    """Write the models of a library into the user's cache, see `model_text`; their file."""
    library = load_library(path)
    text = model_text(library)
    models = cache_dir() / "liberty" / f"{library.sha256}.v"
    make_way(models)
    with replaced_file(models) as file:
        file.write(text.encode())
    return models


def model_text(library: CellLibrary) -> str:
    """Verilog modules of the cells, in ns, with paths that an SDF file can annotate with delays.

    Raises:
        DesignFailure: if Yosys rejects the library.
    """
    key = key_of(yosys_version(), library.sha256, Path(__file__).read_bytes())
    logic = kept("liberty", key, lambda: _logic(library)).decode()
    modules = re.split(r"(?<=^endmodule\n)", logic, flags=re.MULTILINE)
    return "`timescale 1ns/1ps\n" + "".join(_with_paths(module, library) for module in modules)


def _logic(library: CellLibrary) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gatewright-") as scratch:
        Path(scratch, "cells.lib").symlink_to(library.path)
        commands = ("read_liberty -ignore_miss_func cells.lib", "write_verilog -noattr models.v")
        run_commands(commands, Path(scratch), str(library.path), seconds=_SECONDS)
        return Path(scratch, "models.v").read_bytes()


def _with_paths(module: str, library: CellLibrary) -> str:
    name = re.search(r"^module (\w+)", module, flags=re.MULTILINE)
    if name is None or name[1] not in library.names:
        return module
    paths = _paths(library.cell(name[1]))
    if not paths:
        return module
    block = "".join(f"    {path} = 0;\n" for path in paths)
    return module.replace("endmodule\n", f"  specify\n{block}  endspecify\nendmodule\n")


def _paths(cell: Cell) -> list[str]:
    found: dict[str, None] = {}
    for pin in cell.outputs:
        for arc in pin.arcs:
            edge = _EDGES.get(arc.kind)
            if edge is None and not arc.kind.startswith("combinational"):
                continue
            for related in arc.related:
                plain = f"({related} => {pin.name})"
                clocked = f"({edge} {related} => ({pin.name} +: 1'b0))"
                found[plain if edge is None else clocked] = None
    return list(found)
