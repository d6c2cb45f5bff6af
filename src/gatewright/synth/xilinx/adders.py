"""Maps sums of up to three bits in a column onto the carry chains of Xilinx 6-LUT fabrics.

Works on a netlist in the format of Yosys' `write_json`, before any arithmetic has been mapped. A
sum whose parts come from one source line, and whose inner results nothing else reads, becomes one
row of look-up tables and one carry chain. In column i

    O5 (m[i])  = the column's operand bits carry into column i + 1
    O6 (S[i])  = parity of the operand bits and m[i-1]
    DI[i]      = m[i-1]

so that the chain adds the parities to the shifted majorities: three operands at a LUT per bit. A
subtracted bit enters inverted, because -b = (1 - b) - 1, and so does a sign bit, because its weight
is negative. The truth tables absorb the inversions, and the remaining ones add up to one constant.
Nothing is sign-extended, so the additional bit of a sum is free: it is the carry.
The constant is distributed over columns with fewer than three operand bits, the carry-in and the
first m. Dynamic programming over the columns finds the distribution with the fewest LUTs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Any

from gatewright.synth.mapper import Netlist

Bit = int | str  # a net's number, or one of the constants "0", "1", "x", "z"

MIN_COLUMNS = 3  # shorter sums are left to Yosys, which builds them from plain LUTs

# Signed operands up to which each way to extend them is tried; of more, none is extended.
_EXTENDED = 4

# A carry chain is a black box until the LUTs are mapped, and then becomes a CARRY4. Otherwise abc9,
# which knows the function of a CARRY4, would replace the sum of a first column with a carry-in by
# an inverter.
CARRY = "gw_carry4"
_CARRY_PORTS = (
    ("CI", "input", 2, 1),
    ("CYINIT", "input", 3, 1),
    ("S", "input", 4, 4),
    ("DI", "input", 8, 4),
    ("O", "output", 12, 4),
    ("CO", "output", 16, 4),
)

_LUT_PRICE = 1000
_ROUTE_THROUGH_PRICE = 10  # a carry input fed by a net takes a LUT site when placed
_DUAL_PRICE = 1

_Literal = tuple[Bit, bool]  # a bit and whether it enters inverted

# Operand ports of the word-level cells, and whether each one is subtracted.
_OPERATORS = {
    "$add": {"A": False, "B": False},
    "$sub": {"A": False, "B": True},
    "$neg": {"A": True},
}


@dataclass(frozen=True)
class _Function:
    """A symmetric function: `values` by the number of ones among the literals, plus `ones`."""

    values: tuple[int, ...]
    literals: tuple[_Literal, ...]
    ones: int

    @classmethod
    def parity(cls, literals: list[_Literal], ones: int) -> _Function:
        return cls((0, 1) * 4, tuple(literals), ones)

    @classmethod
    def at_least(cls, count: int, literals: list[_Literal], ones: int) -> _Function:
        return cls((0,) * count + (1,) * 8, tuple(literals), ones)

    def nets(self) -> list[int]:
        """The nets that it reads, sorted."""
        return sorted({bit for bit, _ in self.literals if isinstance(bit, int)})

    def table(self, nets: list[int], inputs: int) -> str:
        """Truth table with `nets` as the first of `inputs` inputs, last entry first."""
        pattern = tuple(
            (nets.index(bit) if isinstance(bit, int) else bit, inverted)
            for bit, inverted in self.literals
        )
        return _table(self.values, pattern, self.ones, inputs)

    def wire(self) -> Bit | None:
        """The net or constant that it equals, or None if it needs a LUT."""
        nets = self.nets()
        table = self.table(nets, len(nets))
        if "1" not in table:
            return "0"
        if "0" not in table:
            return "1"
        return nets[0] if table == "10" else None


@dataclass(frozen=True)
class _Operand:
    """A term of a sum: bits, least significant first, signed or unsigned, perhaps subtracted."""

    bits: tuple[Bit, ...]
    signed: bool
    negated: bool


@dataclass(frozen=True)
class _Step:
    """One column: the number of constant ones among its operands; whether it adds two or three."""

    ones: int
    two_operand: bool


@dataclass(frozen=True)
class _Plan:
    """A mapping of columns: inputs at the start of the chain, and a step per column."""

    cost: int
    carry_in: int
    first_majority: int
    steps: tuple[_Step, ...]


def map_adders(netlist: Netlist) -> int:
    """Map the adders of every module, in place.

    Args:
        netlist: Yosys' JSON netlist after `proc`, before `opt_merge` and `alumacc`: word-level
            cells `$add`, `$sub` and `$neg`, with `src` attributes.

    Returns:
        The number of sums mapped.
    """
    mapped = sum(
        _ModuleMapper(module).run()
        for module in netlist["modules"].values()
        if not int(module.get("attributes", {}).get("blackbox", "0"), 2)
    )
    netlist["modules"][CARRY] = {
        "attributes": {"blackbox": "1"},
        "ports": {
            name: {"direction": direction, "bits": [*range(first, first + width)]}
            for name, direction, first, width in _CARRY_PORTS
        },
        "cells": {},
        "netnames": {},
    }
    return mapped


class _ModuleMapper:
    """Maps the adders of one module."""

    def __init__(self, module: dict[str, Any]) -> None:
        self._module = module
        self._cells: dict[str, Any] = module["cells"]
        self._alias: dict[Bit, Bit] = {}
        self._fanout: Counter[Bit] = Counter()
        self._driver: dict[Bit, str] = {}
        top = 1
        for name, cell in self._cells.items():
            # An instance of an unknown module has no directions; its ports count as readers.
            directions = cell.get("port_directions", {})
            for port, bits in cell["connections"].items():
                top = max(top, *(bit for bit in bits if isinstance(bit, int)), top)
                if directions.get(port) == "output":
                    self._driver.update((bit, name) for bit in bits)
                else:
                    self._fanout.update(bits)
        for port in module["ports"].values():
            top = max(top, *(bit for bit in port["bits"] if isinstance(bit, int)), top)
            if port["direction"] != "input":
                self._fanout.update(port["bits"])
        self._next_net = top + 1

    def run(self) -> int:
        """Map every sum and return their number."""
        adders = {name for name, cell in self._cells.items() if cell["type"] in _OPERATORS}
        adders = {name for name in adders if not self._belongs_to_multiplier(name)}
        inner = {name: self._inner_sums(name, adders) for name in adders}
        dissolved = {source for sources in inner.values() for source in sources.values()}
        mapped = sum(self._map_tree(name, inner) for name in sorted(adders - dissolved))
        self._resolve_aliases()
        return mapped

    def _map_tree(self, name: str, inner: dict[str, dict[str, str]]) -> int:
        """Map a sum as one row, or in several if one row is not possible."""
        if self._map_sum(name, self._operands(name, inner)):
            return 1  # opt_clean removes the inner sums, which now have no readers
        mapped = int(bool(inner[name]) and self._map_sum(name, self._operands(name, {name: {}})))
        return mapped + sum(self._map_tree(source, inner) for source in inner[name].values())

    def _belongs_to_multiplier(self, name: str) -> bool:
        """Whether this adder should be in a multiplier's DSP block.

        So if it adds a product. If the product is registered, only if the adder accumulates; any
        other sum is cheaper in a row, which has a third operand.
        """
        connections = self._cells[name]["connections"]
        for port, other in ("AB", "BA"):
            bits, rest = connections.get(port, ()), connections.get(other, ())
            if any(self._is_product(bit) for bit in bits):
                return True
            if bits and self._is_registered_product(bits[0]) and self._is_sum_of(name, rest):
                return True
        return False

    def _type(self, bit: Bit) -> str:
        """Type of the cell that drives a net; "" for an input or a sum that is mapped already."""
        cell = self._cells.get(self._driver.get(bit, ""))
        return str(cell["type"]) if cell is not None else ""

    def _is_product(self, bit: Bit) -> bool:
        """Whether a multiplier that may be in a DSP slice drives a net directly."""
        if self._type(bit) != "$mul":
            return False
        return bool(self._cells[self._driver[bit]]["attributes"].get("use_dsp") != "no")

    def _before(self, bit: Bit, kind: str) -> list[Bit]:
        """The data inputs of a net's driver at the net's position, if the driver is a `kind`."""
        if self._type(bit) != kind:
            return []
        connections = self._cells[self._driver[bit]]["connections"]
        output, inputs = ("Q", "D") if kind == "$dff" else ("Y", "AB")
        place = connections[output].index(bit)
        return [connections[port][place] for port in inputs]

    def _is_registered_product(self, bit: Bit) -> bool:
        """Whether a net is a registered product, with or without an enable."""
        return any(
            self._is_product(source)
            for data in self._before(bit, "$dff")
            for source in (data, *self._before(data, "$mux"))
        )

    def _is_sum_of(self, name: str, bits: list[Bit]) -> bool:
        """Whether an operand of an adder is its own registered result, perhaps with a preload."""
        result = self._cells[name]["connections"]["Y"][0]
        return any(
            result in (data, *self._before(data, "$mux"))
            for bit in bits[:1]
            for source in (bit, *self._before(bit, "$mux"))
            for data in self._before(source, "$dff")
        )

    def _inner_sums(self, name: str, adders: set[str]) -> dict[str, str]:
        """By operand port, the adder of the same source line that computes it for `name` alone."""
        cell = self._cells[name]
        width = len(cell["connections"]["Y"])
        found = {}
        for port in _OPERATORS[cell["type"]]:
            bits = cell["connections"][port]
            source = self._driver.get(bits[0])
            if source is None or source not in adders or _line(self._cells[source]) != _line(cell):
                continue
            result = self._cells[source]["connections"]["Y"]
            # A narrower inner sum would wrap where the whole sum does not.
            whole = len(bits) >= width and result[:width] == bits[:width]
            if whole and all(self._fanout[bit] == bits.count(bit) for bit in result):
                found[port] = source
        return found

    def _operands(
        self, name: str, inner: dict[str, dict[str, str]], negated: bool = False
    ) -> list[_Operand]:
        """The terms of a sum, with inner sums expanded."""
        cell = self._cells[name]
        terms: list[_Operand] = []
        for port, subtracted in _OPERATORS[cell["type"]].items():
            if port in inner[name]:
                terms += self._operands(inner[name][port], inner, negated != subtracted)
            else:
                signed = bool(int(cell["parameters"][f"{port}_SIGNED"], 2))
                bits = cell["connections"][port]
                # Modulo 2**width, a number with copies of its highest bit is a signed one.
                wide = len(bits) >= len(cell["connections"]["Y"]) and bits[-2:-1] == bits[-1:]
                terms.append(_operand(bits, signed or wide, negated != subtracted))
        # The chain's data input takes the first of two operands. That should be one without logic
        # before it, so that logic before the other can merge into the sum's truth table.
        return sorted(terms, key=lambda term: any(map(self._is_logic, term.bits)))

    def _is_logic(self, bit: Bit) -> bool:
        """Whether a net is driven by combinational logic."""
        return self._type(bit) not in ("", "$dff")

    def _map_sum(self, name: str, operands: list[_Operand]) -> bool:
        """Replace the cell `name` by a row that adds `operands`; False if no row can."""
        output: list[Bit] = self._cells[name]["connections"]["Y"]
        used = max((i + 1 for i, bit in enumerate(output) if self._fanout[bit]), default=0)
        low, high = _range(operands)
        needed = high.bit_length()
        if low < 0:
            needed = max(needed, (~low).bit_length()) + 1
        width = min(used, needed)
        best: tuple[_Plan, list[list[_Literal]], int, int] | None = None
        signed = [operand.signed and len(operand.bits) < width for operand in operands]
        if sum(signed) > _EXTENDED:
            signed = [False] * len(operands)
        for extend in product(*((False, True) if choice else (False,) for choice in signed)):
            columns, constant = _columns(operands, extend, width)
            start = _first_sum(columns, constant)
            shape = tuple(tuple(inverted for _, inverted in column) for column in columns[start:])
            plan = _plan(shape, (constant >> start) % (1 << (width - start)))
            if plan and (best is None or plan.cost < best[0].cost):
                best = plan, columns, constant, start
        if best is None or 0 < width - best[3] < MIN_COLUMNS:
            return False
        plan, columns, constant, start = best
        result: list[Bit] = [
            column[0][0] if column else str(constant >> i & 1)
            for i, column in enumerate(columns[:start])
        ]
        result += self._row(name, plan, columns[start:])
        sign = result[-1] if low < 0 and result else "0"
        for bit, source in zip(output, result + [sign] * (len(output) - width), strict=True):
            self._alias[bit] = source
        del self._cells[name]
        return True

    def _row(self, name: str, plan: _Plan, columns: list[list[_Literal]]) -> list[Bit]:
        """Build the LUTs and the carry chain of a plan, and return the bits of the sum."""
        src = self._cells[name]["attributes"].get("src", "")
        below: _Literal = (str(plan.first_majority), False)
        selects: list[Bit] = []
        data: list[Bit] = []
        for i, (step, literals) in enumerate(zip(plan.steps, columns, strict=True)):
            column = _column(literals, below, step, last=i == len(columns) - 1)
            cell = f"{name}$gw{i}"
            functions = column.functions()
            select = column.select.wire()
            made: dict[_Function, Bit] = {}
            if select is None and functions:
                select, made[functions[0]] = self._dual(cell, column.select, functions[0], src)
            elif select is None:
                select = self._single(cell, column.select, src)
            for function in functions:
                if function not in made:
                    made[function] = self._single(f"{cell}d{len(made)}", function, src)
            selects.append(select)
            data.append(made[column.data] if isinstance(column.data, _Function) else column.data)
            below = (made[column.majority], False) if column.majority else column.above
        return self._carry(name, plan.carry_in, selects, data, src)

    def _new_net(self) -> int:
        self._next_net += 1
        return self._next_net - 1

    def _add(
        self,
        name: str,
        kind: str,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        src: str,
        parameters: dict[str, str] | None = None,
    ) -> None:
        self._cells[name] = {
            "hide_name": 1,
            "type": kind,
            "parameters": parameters or {},
            "attributes": {"src": src} if src else {},
            "port_directions": {
                **dict.fromkeys(inputs, "input"),
                **dict.fromkeys(outputs, "output"),
            },
            "connections": {**inputs, **outputs},
        }

    def _single(self, name: str, function: _Function, src: str) -> int:
        """One function as a generic `$lut`, so that it can merge with the logic before it."""
        net, nets = self._new_net(), function.nets()
        parameters = {"WIDTH": f"{len(nets):032b}", "LUT": function.table(nets, len(nets))}
        self._add(name, "$lut", {"A": nets}, {"Y": [net]}, src, parameters)
        return net

    def _dual(self, name: str, upper: _Function, lower: _Function, src: str) -> tuple[int, int]:
        """Two functions of the same inputs in one LUT; their nets O6 and O5."""
        nets = sorted({*upper.nets(), *lower.nets()})
        pins: list[Bit] = [*nets, *["0"] * (5 - len(nets)), "1"]
        o6, o5 = self._new_net(), self._new_net()
        inputs = {f"I{i}": [pin] for i, pin in enumerate(pins)}
        init = upper.table(nets, 5) + lower.table(nets, 5)
        self._add(name, "LUT6_2", inputs, {"O6": [o6], "O5": [o5]}, src, {"INIT": init})
        return o6, o5

    def _carry(
        self, name: str, carry_in: int, selects: list[Bit], data: list[Bit], src: str
    ) -> list[Bit]:
        total: list[Bit] = []
        above: Bit = "0"
        for base in range(0, len(selects), 4):
            pad: list[Bit] = ["0"] * (base + 4 - len(selects))
            out, carry = [[self._new_net() for _ in range(4)] for _ in range(2)]
            inputs = {
                "CI": [above],
                "CYINIT": [str(carry_in) if base == 0 else "0"],
                "S": selects[base : base + 4] + pad,
                "DI": data[base : base + 4] + pad,
            }
            self._add(f"{name}$gwc{base}", CARRY, inputs, {"O": out, "CO": carry}, src)
            total += out
            above = carry[3]
        return total[: len(selects)]

    def _resolve_aliases(self) -> None:
        """Connect every reader of a replaced net to its new driver."""

        def resolve(bits: list[Bit]) -> None:
            for i, bit in enumerate(bits):
                while bit in self._alias:
                    bit = self._alias[bit]
                bits[i] = bit

        for cell in self._cells.values():
            for bits in cell["connections"].values():
                resolve(bits)
        for item in (*self._module["ports"].values(), *self._module["netnames"].values()):
            resolve(item["bits"])


@lru_cache(maxsize=1 << 16)
def _plan(shape: tuple[tuple[bool, ...], ...], constant: int) -> _Plan | None:
    """Cheapest mapping of columns plus a constant modulo 2^len(shape); None if there is none.

    Args:
        shape: per column, least significant first, which of its operand bits are inverted.
        constant: the constant to add to the operand bits, 0 <= constant < 2^len(shape).
    """
    width = len(shape)
    # The best plan so far, by the rest of the constant and the kind of the majority from below.
    best = {
        ((constant - carry_in - first) % (1 << width), str(first)): _Plan(0, carry_in, first, ())
        for first, carry_in in ((1, 1), (1, 0), (0, 1), (0, 0))
    }
    for i, inverted in enumerate(shape):
        following: dict[tuple[int, str], _Plan] = {}
        for (left, below), plan in best.items():
            for ones in range(left & 1, 4 - len(inverted), 2):
                left_above = ((left - ones) >> 1) % (1 << (width - i - 1))
                for two_operand in (False, True):
                    if two_operand and (below != "0" or len(inverted) + ones > 2):
                        continue
                    step = _Step(ones, two_operand)
                    price, above = _price(inverted, below, step, last=i == width - 1)
                    candidate = _Plan(
                        plan.cost + price, plan.carry_in, plan.first_majority, (*plan.steps, step)
                    )
                    known = following.get((left_above, above))
                    if known is None or candidate.cost < known.cost:
                        following[left_above, above] = candidate
        best = following
    return min(best.values(), key=lambda plan: plan.cost, default=None)


@cache
def _table(values: tuple[int, ...], pattern: tuple[_Literal, ...], ones: int, inputs: int) -> str:
    """Truth table of a symmetric function of inputs, by position, and constants."""
    bits = []
    for index in reversed(range(1 << inputs)):
        count = sum(
            (index >> bit & 1 if isinstance(bit, int) else int(bit)) ^ inverted
            for bit, inverted in pattern
        )
        bits.append(str(values[count + ones]))
    return "".join(bits)


@cache
def _price(inverted: tuple[bool, ...], below: str, step: _Step, last: bool) -> tuple[int, str]:
    """Price of a column, and the kind of its majority ("0", "1", "net", "inverted")."""
    literals: list[_Literal] = [(1 + i, flag) for i, flag in enumerate(inverted)]
    column = _column(
        literals, (0, below == "inverted") if len(below) > 1 else (below, False), step, last
    )
    luts = max(column.select.wire() is None, len(column.functions()))
    bit, flag = column.above if column.majority is None else (99, False)
    kind = bit if isinstance(bit, str) else "inverted" if flag else "net"
    price = _LUT_PRICE * luts
    price += _ROUTE_THROUGH_PRICE * isinstance(column.select.wire(), int)
    price += _DUAL_PRICE * len(column.functions())
    return price, kind


@dataclass(frozen=True)
class _Column:
    """The functions of one column of a row."""

    select: _Function  # S
    majority: _Function | None  # m, if it needs a LUT
    above: _Literal  # m, if it needs none
    data: _Function | Bit  # DI

    def functions(self) -> list[_Function]:
        """The functions besides `select` that need look-up tables."""
        return [item for item in (self.majority, self.data) if isinstance(item, _Function)]


def _column(literals: list[_Literal], below: _Literal, step: _Step, last: bool) -> _Column:
    """The functions of a column, from its operand bits and the majority of the column below."""
    select = _Function.parity([*literals, below], step.ones)
    if last:
        return _Column(select, None, ("0", False), "0")
    addends = len(literals) + step.ones
    if step.two_operand:
        # The chain itself adds two bits; DI is either of them.
        two: list[_Literal] = [*literals, *[("1", False)] * step.ones]
        data = _upright(two) if addends == 2 else "0"
        return _Column(select, None, ("0", False), data)
    # DI is either of the chain's addends: the majority from below or the operand bits' parity.
    pair: list[_Literal] = [below]
    if not literals:
        pair.append((str(step.ones & 1), False))
    elif len(literals) == 1:
        pair.append((literals[0][0], literals[0][1] ^ bool(step.ones & 1)))
    data = _upright(pair)
    if addends < 2:
        return _Column(select, None, ("0", False), data)
    if not literals or step.ones >= 2:
        return _Column(select, None, ("1", False), data)
    if len(literals) == 1:
        return _Column(select, None, literals[0], data)
    return _Column(select, _Function.at_least(2, literals, step.ones), ("0", False), data)


def _upright(choices: list[_Literal]) -> _Function | Bit:
    """One of the literals, if possible one that needs no inverter."""
    for bit, inverted in choices:
        if not inverted:
            return bit
    return _Function.parity(choices[:1], 0)


def _columns(
    operands: list[_Operand], extend: tuple[bool, ...], width: int
) -> tuple[list[list[_Literal]], int]:
    """Operand bits per column, and the constant that completes them modulo 2^width.

    Args:
        operands: the terms of the sum.
        extend: per operand, whether its sign is repeated up to `width`, or enters inverted once.
        width: columns of the sum.
    """
    columns: list[list[_Literal]] = [[] for _ in range(width)]
    constant = 0
    for operand, repeat in zip(operands, extend, strict=True):
        bits = operand.bits[:width]
        if repeat:
            bits += bits[-1:] * (width - len(bits))
        for i, bit in enumerate(bits):
            sign = operand.signed and i == len(bits) - 1 and len(bits) < width
            negative = operand.negated != sign
            if isinstance(bit, int):
                columns[i].append((bit, negative))
                constant -= negative << i
            elif bit == "1":
                constant += (-1 if negative else 1) << i
    return columns, constant % (1 << width)


def _first_sum(columns: list[list[_Literal]], constant: int) -> int:
    """The first column that is more than a wire or a constant."""
    for i, column in enumerate(columns):
        wire = len(column) == 1 and not column[0][1] and not constant >> i & 1
        if column and not wire:
            return i
    return len(columns)


def _operand(bits: list[Bit], signed: bool, negated: bool) -> _Operand:
    """A term without repeated sign bits or leading zeros."""
    known: list[Bit] = [bit if isinstance(bit, int) or bit == "1" else "0" for bit in bits]
    while known and (known[-2:-1] == known[-1:] if signed else known[-1] == "0"):
        known.pop()
    return _Operand(tuple(known), signed, negated)


def _range(operands: list[_Operand]) -> tuple[int, int]:
    """Least and greatest value of a sum."""
    low = high = 0
    for operand in operands:
        for i, bit in enumerate(operand.bits):
            sign = operand.signed and i == len(operand.bits) - 1
            weight = (-1 if operand.negated != sign else 1) << i
            low += weight if bit == "1" else min(weight, 0) if isinstance(bit, int) else 0
            high += weight if bit == "1" else max(weight, 0) if isinstance(bit, int) else 0
    return low, high


def _line(cell: dict[str, Any]) -> str:
    """File and line that a cell comes from; unique text if unknown."""
    place: str = cell["attributes"].get("src", "").split("|")[0]
    file, _, position = place.rpartition(":")
    return f"{file}:{position.split('.')[0]}" if file else str(id(cell))
