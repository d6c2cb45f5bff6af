"""Configuration of LibreLane, which takes a design from RTL to GDS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gatewright.silicon.static_timing import CLOCK

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.liberty.standard_cells import StandardCells
    from gatewright.rtl.manifest import RtlProject
    from gatewright.silicon.static_timing import Constraints

CONFIGURATION, CONSTRAINTS = "config.json", "librelane.sdc"


def write_configuration(
    project: RtlProject, cells: StandardCells, constraints: Constraints, directory: Path
) -> None:
    """Write `CONFIGURATION` and `CONSTRAINTS` to a directory.

    Args:
        project: the design; its files are named relative to the directory.
        cells: the cell library; if it has no PDK of LibreLane, the user must give --pdk.
        constraints: clock and constraints of the ports.
        directory: a directory two levels below the project directory.
    """
    config = {
        "meta": {"version": 2},
        "DESIGN_NAME": project.top,
        "VERILOG_FILES": [f"dir::../../{project.directory.name}/{file}" for file in project.files],
        "USE_SLANG": True,
        "CLOCK_PORT": CLOCK,
        "CLOCK_PERIOD": constraints.clock_ns,
        "PNR_SDC_FILE": f"dir::{CONSTRAINTS}",
        "SIGNOFF_SDC_FILE": f"dir::{CONSTRAINTS}",
        "FP_SIZING": "relative",
        "FP_CORE_UTIL": 40,
    }
    if cells.pdk is not None:
        config["PDK"] = cells.pdk
    if cells.cells is not None:
        config["STD_CELL_LIBRARY"] = cells.cells
    (directory / CONFIGURATION).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (directory / CONSTRAINTS).write_text(constraints.sdc(), encoding="ascii")
