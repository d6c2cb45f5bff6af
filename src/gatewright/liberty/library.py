"""The cells of a cell library: areas, pins, delays, energies."""

from __future__ import annotations

import functools
import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from gatewright.errors import InputError
from gatewright.liberty.syntax import Group, finite, read_groups

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}
_QUANTITY = re.compile(r"([0-9.eE+-]+)\s*([munpfa]?)(?:s|V|W|f|F)", re.ASCII)
_LOADS = ("total_output_net_capacitance", "equal_or_opposite_output_net_capacitance")
_SLEWS = ("input_net_transition", "input_transition_time", "constrained_pin_transition")
_OTHER_SLEWS = ("related_pin_transition",)
_LONGEST_AXIS = 100


@dataclass(frozen=True)
class Table:
    """Values over the slew of an input and the load of an output.

    Attributes:
        variables: "slew", "load" or "other" (a second slew) for each axis; empty for a constant.
        axes: points of each axis, ascending.
        values: values in row-major order.
    """

    variables: tuple[str, ...]
    axes: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]

    def at(self, *, slew: float, load: float = 0.0) -> float:
        """The value by linear interpolation, and extrapolation beyond the points.

        Args:
            slew: slew of the input or of both inputs, in the library's unit of time.
            load: load, in the library's unit of capacitance.
        """
        values = self.values
        for variable, axis in zip(self.variables, self.axes, strict=True):
            rest = len(values) // len(axis)
            where = load if variable == "load" else slew
            low, share = _between(axis, where)
            first = values[low * rest : (low + 1) * rest]
            if len(axis) == 1:
                values = first
                continue
            second = values[(low + 1) * rest : (low + 2) * rest]
            values = tuple(a + share * (b - a) for a, b in zip(first, second, strict=True))
        return values[0]


def _between(axis: tuple[float, ...], where: float) -> tuple[int, float]:
    """Index of the point below, and the fraction of the way to the next point."""
    if len(axis) == 1:
        return 0, 0.0
    low = min(max(bisect_right(axis, where) - 1, 0), len(axis) - 2)
    return low, (where - axis[low]) / (axis[low + 1] - axis[low])


@dataclass(frozen=True)
class Arc:
    """A timing arc to a pin: delays and slews, or a constraint.

    Attributes:
        related: names of the pins that it starts from.
        kind: `timing_type`; "combinational" if not given.
        tables: tables by name: `cell_rise`, `fall_transition`, `rise_constraint`, ...
    """

    related: tuple[str, ...]
    kind: str
    tables: dict[str, Table]

    def mean(self, *names: str, slew: float, load: float = 0.0) -> float | None:
        """The mean over those of the named tables that exist; None if none does."""
        tables = [self.tables[name] for name in names if name in self.tables]
        found = [table.at(slew=slew, load=load) for table in tables]
        return sum(found) / len(found) if found else None


@dataclass(frozen=True)
class Energy:
    """Internal energy of the cell for a transition of a pin, without that of the load.

    Attributes:
        related: the input that caused the transition; "" for transitions of an input itself.
        tables: `rise_power` and `fall_power`, or `power` for both.
    """

    related: str
    tables: dict[str, Table]

    def mean(self, *, slew: float, load: float) -> float:
        """Mean over a rising and a falling transition, in the library's unit of energy."""
        both = [self.tables.get(name, self.tables.get("power")) for name in _POWERS]
        found = [table.at(slew=slew, load=load) for table in both if table is not None]
        return sum(found) / len(found) if found else 0.0


_POWERS = ("rise_power", "fall_power")
_DELAYS = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
_CONSTRAINTS = ("rise_constraint", "fall_constraint")


@dataclass(frozen=True)
class Pin:
    """A pin of a cell; its capacitance is in the library's unit."""

    name: str
    direction: str
    capacitance: float
    clock: bool
    function: str | None
    arcs: tuple[Arc, ...]
    energies: tuple[Energy, ...]


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        name: its name.
        area: area, in um^2.
        leakage: leakage in the library's unit; the mean over states if no total is given.
        memory: "flip-flop", "latch", or None.
        next_state: function of a flip-flop's next state, as in the library; None for other cells
            and for flip-flops with set or reset.
        pins: pins by name.
    """

    name: str
    area: float
    leakage: float | None
    memory: Literal["flip-flop", "latch"] | None
    next_state: str | None
    pins: dict[str, Pin] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Pin]:
        """The inputs."""
        return [pin for pin in self.pins.values() if pin.direction == "input"]

    @property
    def outputs(self) -> list[Pin]:
        """The outputs."""
        return [pin for pin in self.pins.values() if pin.direction == "output"]


@dataclass(frozen=True)
class CellLibrary:
    """A cell library. Its values are in the units of the file, which the attributes give.

    Attributes:
        path: the file.
        sha256: hash of its content.
        name: the name of the library in the file.
        volt: supply voltage, in V.
        conditions: process, voltage and temperature, as text.
        time_ns: unit of time, in ns.
        load_ff: unit of capacitance, in fF.
        leakage_uw: unit of leakage, in uW.
        energy_pj: unit of energy, in pJ: unit of voltage squared times unit of capacitance.
    """

    path: Path
    sha256: str
    name: str
    volt: float
    conditions: str
    time_ns: float
    load_ff: float
    leakage_uw: float
    energy_pj: float
    _groups: dict[str, Group] = field(repr=False)
    _templates: dict[str, Group] = field(repr=False)
    _cells: dict[str, Cell] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of all cells, in the file's order."""
        return list(self._groups)

    def cell(self, name: str) -> Cell:
        """The cell with a name.

        Raises:
            InputError: if there is none, or its description is not valid.
        """
        if name not in self._cells:
            if name not in self._groups:
                raise InputError(f"{self.path}: has no cell '{name}'")
            try:
                self._cells[name] = _cell(self._groups[name], self._templates)
            except ValueError as error:
                raise InputError(f"{self.path}: cell '{name}': {error}") from None
        return self._cells[name]

    @functools.cached_property
    def cells(self) -> list[Cell]:
        """All cells.

        Raises:
            InputError: as `cell`.
        """
        return [self.cell(name) for name in self._groups]


def load_library(path: Path) -> CellLibrary:
    """Read a cell library; the same content is parsed once per process.

    Raises:
        InputError: if it can't be read, is not a library, or lacks its units or voltage.
    """
    try:
        path = path.resolve()
        return _load(path, _hash(path, path.stat().st_mtime_ns))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


@functools.lru_cache(maxsize=16)
def _hash(path: Path, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.lru_cache(maxsize=4)
def _load(path: Path, sha256: str) -> CellLibrary:
    library = read_groups(path)
    try:
        return _library(path, sha256, library)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _library(path: Path, sha256: str, library: Group) -> CellLibrary:
    load = library.first("capacitive_load_unit")
    volt = library.number("nom_voltage")
    if load is None or len(load.arguments) != 2 or volt is None:
        raise ValueError("gives no capacitive_load_unit or no nom_voltage")
    farad = finite(load.arguments[0]) * _PREFIXES[load.arguments[1].lower()[0]]
    unit = _unit(library, "voltage_unit", "1V")
    groups = {}
    for cell in library.all("cell"):
        name = cell.arguments[0] if cell.arguments else ""
        if not _NAME.fullmatch(name):
            raise ValueError(f"cell {name[:40]!r}: a name of letters, digits and '_' is needed")
        groups[name] = cell
    if not groups:
        raise ValueError("has no cells")
    templates = {
        template.arguments[0]: template
        for kind in ("lu_table_template", "power_lut_template")
        for template in library.all(kind)
        if template.arguments
    }
    process, celsius = library.number("nom_process"), library.number("nom_temperature")
    conditions = [f"{volt:g} V", *([] if celsius is None else [f"{celsius:g} C"])]
    if process is not None and process != 1:
        conditions.insert(0, f"process {process:g}")
    return CellLibrary(
        path=path,
        sha256=sha256,
        name=library.arguments[0][:100] if library.arguments else "",
        volt=volt,
        conditions=", ".join(conditions),
        time_ns=_unit(library, "time_unit", "1ns") * 1e9,
        load_ff=farad * 1e15,
        leakage_uw=_unit(library, "leakage_power_unit", "1nW") * 1e6,
        energy_pj=unit * unit * farad * 1e12,
        _groups=groups,
        _templates=templates,
    )


def _unit(library: Group, name: str, default: str) -> float:
    text = library.text(name) or default
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{name} {text[:40]!r} is not known")
    return finite(found[1]) * _PREFIXES[found[2]]


def _cell(group: Group, templates: dict[str, Group]) -> Cell:
    area = group.number("area")
    if area is None or area < 0:
        raise ValueError("gives no area")
    flip_flop, latch = group.first("ff"), group.first("latch")
    plain = flip_flop is not None and not any(map(flip_flop.text, ("clear", "preset")))
    pins = [_pin(pin, name, templates) for pin in group.all("pin") for name in pin.arguments]
    for pin in pins:
        if not _NAME.fullmatch(pin.name):
            raise ValueError(f"pin {pin.name[:40]!r}: letters, digits and '_' are needed")
    return Cell(
        name=group.arguments[0],
        area=area,
        leakage=_leakage(group),
        memory="flip-flop" if flip_flop is not None else "latch" if latch is not None else None,
        next_state=flip_flop.text("next_state") if flip_flop is not None and plain else None,
        pins={pin.name: pin for pin in pins},
    )


def _leakage(group: Group) -> float | None:
    whole = group.number("cell_leakage_power")
    if whole is not None:
        return whole
    states = [found for each in group.all("leakage_power") if (found := each.number("value"))]
    return sum(states) / len(states) if states else None


def _pin(group: Group, name: str, templates: dict[str, Group]) -> Pin:
    sides = [group.number(f"{side}_capacitance") for side in ("rise", "fall")]
    known = [side for side in sides if side is not None]
    whole = group.number("capacitance")
    if whole is None:
        whole = sum(known) / len(known) if known else 0.0
    return Pin(
        name=name,
        direction=group.text("direction") or "",
        capacitance=whole,
        clock=group.text("clock") == "true",
        function=group.text("function"),
        arcs=tuple(
            Arc(
                tuple((arc.text("related_pin") or "").split()),
                arc.text("timing_type") or "combinational",
                _tables(arc, (*_DELAYS, *_CONSTRAINTS), templates),
            )
            for arc in group.all("timing")
        ),
        energies=tuple(
            Energy(
                energy.text("related_pin") or "",
                _tables(energy, (*_POWERS, "power"), templates),
            )
            for energy in group.all("internal_power")
        ),
    )


def _tables(group: Group, names: tuple[str, ...], templates: dict[str, Group]) -> dict[str, Table]:
    found = {name: group.first(name) for name in names}
    return {name: _table(table, templates) for name, table in found.items() if table is not None}


def _table(group: Group, templates: dict[str, Group]) -> Table:
    template = templates.get(group.arguments[0]) if group.arguments else None
    variables: list[str] = []
    axes: list[tuple[float, ...]] = []
    values = _numbers(group.first("values"))
    for number in (1, 2, 3):
        named = template.text(f"variable_{number}") if template is not None else None
        points = group.first(f"index_{number}") or (template or group).first(f"index_{number}")
        if named is None or (len(values) == 1 and points is None):
            break
        variables.append(_variable(named))
        axes.append(_numbers(points))
    size = 1
    for axis in axes:
        size *= len(axis)
        if not 1 <= len(axis) <= _LONGEST_AXIS or not _rises(axis):
            raise ValueError(f"{group.name}: its index is not ascending")
    if size != len(values):
        raise ValueError(f"{group.name}: {len(values)} values for {size} points")
    return Table(tuple(variables), tuple(axes), values)


def _rises(axis: tuple[float, ...]) -> bool:
    return all(low < high for low, high in pairwise(axis))


def _variable(name: str) -> str:
    if name in _LOADS:
        return "load"
    if name in _SLEWS:
        return "slew"
    if name in _OTHER_SLEWS:
        return "other"
    raise ValueError(f"a table over {name[:40]!r} is not known")


def _numbers(group: Any) -> tuple[float, ...]:
    if group is None:
        return ()
    return tuple(finite(n) for text in group.arguments for n in text.replace(",", " ").split())
