"""A cell library together with the boundary conditions of designs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.liberty.library import CellLibrary


@dataclass(frozen=True)
class StandardCells:
    """Standard cells as a target uses them.

    Attributes:
        library: the library.
        driving_cell: cell that drives every input.
        load_ff: load of every output, in fF.
        slew: output slew of a gate that drives a few of its kind, in the library's unit of time.
        pdk: name of the PDK in LibreLane; None if it has none.
        cells: name of the library in LibreLane; None for the PDK's default.
    """

    library: CellLibrary
    driving_cell: str
    load_ff: float
    slew: float
    pdk: str | None
    cells: str | None
