"""A cell library with what a design of its cells is made for."""

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
        driving_cell: what drives every input.
        load_ff: load of every output, in fF.
        slew: of a gate with a few like it as its load, in the library's unit of time.
        pdk: name of the PDK, as LibreLane has it; None if it has none.
        cells: name of the library, as LibreLane has it; None for the PDK's default.
    """

    library: CellLibrary
    driving_cell: str
    load_ff: float
    slew: float
    pdk: str | None
    cells: str | None
