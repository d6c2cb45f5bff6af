"""A target of standard cells: its library, and the delay estimates of its gates."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field
from typing_extensions import override

from gatewright.circuit.gate_fabric import GateFabric
from gatewright.errors import InputError
from gatewright.liberty.library import Cell, CellLibrary, load_library
from gatewright.liberty.standard_cells import StandardCells
from gatewright.synth.family import Family
from gatewright.synth.liberty.mapper import LibertyMapper

_CellName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_CellPattern = Annotated[str, Field(pattern=r"^[A-Za-z_*?][A-Za-z0-9_*?]{0,99}$")]
_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
_Line = Annotated[str, Field(pattern=r"^[ -~]{1,200}$")]

_ROOT = "$PDK_ROOT/"
_HOMES = (".ciel", ".volare")
"""Directories in the user's home that PDKs are searched in if PDK_ROOT is not set."""

_LOADS = 4
"""Fanout, in NAND2 inputs, of the outputs of a module and of the gates in estimates."""


@dataclass(frozen=True)
class Liberty(Family):
    """The settings of a cell library in the file of a target.

    Attributes:
        libraries: paths of the library; the first that exists is used. `$PDK_ROOT/` at the
            beginning is the directory of PDKs, by default ~/.ciel or ~/.volare.
        obtain: how to get the library, for messages.
        nand2: the two-input NAND that is the unit of NAND2 equivalents.
        driving_cell: the buffer that drives every input of a module.
        dont_use: cells not to be used; `*` and `?` are wildcards.
        pdk: name of the PDK in LibreLane; None if it has none.
        cells: name of the cell library in LibreLane; None for the PDK's default.
    """

    libraries: Annotated[tuple[_Line, ...], Field(min_length=1)]
    nand2: _CellName
    driving_cell: _CellName
    obtain: _Line = "give its path in the target's file"
    dont_use: tuple[_CellPattern, ...] = ()
    pdk: _Word | None = None
    cells: _Word | None = None

    @property
    def path(self) -> Path:
        """Path of the library.

        Raises:
            InputError: if none of the paths exists.
        """
        places = [place for text in self.libraries for place in _places(text)]
        for place in places:
            if place.is_file():
                return place.resolve()
        raise InputError(f"cell library {places[0]}: no such file; {self.obtain}")

    @property
    def library(self) -> CellLibrary:
        """The parsed library.

        Raises:
            InputError: if it does not exist, is not a library, or lacks cells that the target
                names.
        """
        found = load_library(self.path)
        _gate(found, self.nand2, inputs=2)
        _gate(found, self.driving_cell, inputs=1)
        return found

    @property
    @override
    def standard_cells(self) -> StandardCells:
        library = self.library
        gate = library.cell(self.nand2)
        load = _LOADS * gate.inputs[0].capacitance
        return StandardCells(
            library=library,
            driving_cell=self.driving_cell,
            load_ff=round(load * library.load_ff, 6),
            slew=_slew(gate, load),
            pdk=self.pdk,
            cells=self.cells,
        )

    @property
    @override
    def mapper(self) -> LibertyMapper:
        found = self.standard_cells
        return LibertyMapper(
            library=str(found.library.path),
            sha256=found.library.sha256,
            nand2=self.nand2,
            driving_cell=self.driving_cell,
            load_ff=found.load_ff,
            dont_use=self.dont_use,
        )

    @property
    @override
    def fabric(self) -> GateFabric:
        found = self.standard_cells
        library, slew = found.library, found.slew
        load = found.load_ff / library.load_ff
        return GateFabric(
            gate_ns=_delay(library.cell(self.nand2), slew, load) * library.time_ns,
            register_ns=_register(library, slew, load) * library.time_ns,
        )


def _places(text: str) -> list[Path]:
    if not text.startswith(_ROOT):
        return [Path(text).expanduser()]
    return [root / text.removeprefix(_ROOT) for root in pdk_roots()]


def pdk_roots() -> list[Path]:
    """Directories to search for PDKs: that of PDK_ROOT, or `_HOMES` in the user's home."""
    given = os.environ.get("PDK_ROOT")
    return [Path(given)] if given else [Path.home() / name for name in _HOMES]


def _gate(library: CellLibrary, name: str, *, inputs: int) -> None:
    cell = library.cell(name)
    if len(cell.inputs) != inputs or len(cell.outputs) != 1 or cell.area <= 0:
        raise InputError(
            f"{library.path}: cell '{name}' is not a gate with {inputs} input{'s' * (inputs > 1)}, "
            "one output and an area"
        )


def _slew(gate: Cell, load: float) -> float:
    """The output slew of a gate in a chain of such gates."""
    slew = 0.0
    for _ in range(8):
        slew = _mean(gate, ("rise_transition", "fall_transition"), slew, load)
    return slew


def _delay(gate: Cell, slew: float, load: float) -> float:
    return _mean(gate, ("cell_rise", "cell_fall"), slew, load)


def _mean(gate: Cell, tables: tuple[str, ...], slew: float, load: float) -> float:
    found = [arc.mean(*tables, slew=slew, load=load) for arc in gate.outputs[0].arcs]
    known = [value for value in found if value is not None]
    if not known:
        raise InputError(f"cell library: cell '{gate.name}' gives no {tables[0]}")
    return sum(known) / len(known)


def _register(library: CellLibrary, slew: float, load: float) -> float:
    """Clock-to-output delay plus setup time of the smallest flip-flop without set and reset."""
    plain = [cell for cell in library.cells if cell.next_state in cell.pins and cell.outputs]
    if not plain:
        raise InputError(f"{library.path}: has no plain D flip-flop")
    cell = min(plain, key=lambda cell: cell.area)
    data = cell.pins[cell.next_state or ""]
    setups = [
        found
        for arc in data.arcs
        if arc.kind.startswith("setup")
        and (found := arc.mean("rise_constraint", "fall_constraint", slew=slew)) is not None
    ]
    return _delay(cell, slew, load) + max([0.0, *setups])


FAMILY = Liberty
