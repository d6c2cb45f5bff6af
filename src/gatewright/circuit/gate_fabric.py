"""Estimates for gates, as libraries of standard cells have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.fabric import FIFO_WORDS, Spread, adder_bits, is_sign_test, sum_terms
from gatewright.circuit.graph import Cast, Node, Op
from gatewright.circuit.lut_fabric import INCREMENTING
from gatewright.fixed import Overflow

# Gate delays, and gates that Yosys and ABC take: guesses, which a few modules on OSU018 bear out.
_SUM_START, _SUM_LEVEL = 3.0, 1.5  # of a sum: at all, and per doubling of its bits
_ROW = 3.0  # of a row of compressors
# Of a product: at all, and per doubling of its narrower and of its wider factor. Eleven products,
# of 4 to 18 by 6 to 24 bits, took 0.4 ns more to 0.3 ns less on OSU018, where a gate is 0.14 ns.
_PRODUCT_START, _PRODUCT_ROWS, _PRODUCT_COLUMNS = -19.0, 6.5, 7.5
_SELECT = 1.5
_TREE = 6  # loads of a buffer
_TABLE_LEVEL = 1.2  # per bit of an index
_SUM_BIT = 7.0  # NAND2 of a sum, per bit
_PRODUCT_BIT = 7.0  # NAND2 of a product, per pair of bits
_HELD_BIT = 3.0
_ROM_BIT = 0.25


@dataclass(frozen=True)
class GateFabric:
    """A `Fabric` whose unit of area is the NAND gate with two inputs.

    Attributes:
        gate_ns: delay of that gate with four like it as its load, in ns.
        register_ns: clock-to-output and set-up of a flip-flop, in ns.
    """

    unit: ClassVar[str] = "NAND2"
    sum_operands: ClassVar[Literal[2, 3]] = 2
    table_inputs: ClassVar[int] = 4
    digit_area: ClassVar[float] = 0.35 * _SUM_BIT

    gate_ns: float
    register_ns: float

    @property
    def multiplier_price(self) -> str:
        """See `Fabric`."""
        return f"{_PRODUCT_BIT:g} NAND2 per pair of bits"

    @property
    def packs_accumulators(self) -> bool:
        """There are no DSP blocks."""
        return False

    def sum_area(self, bits: int) -> float:
        """See `Fabric`."""
        return _SUM_BIT * bits

    def held_area(self, bits: int) -> float:
        """A multiplexer per bit."""
        return _HELD_BIT * bits

    def multiplier_area(self, a: int, b: int) -> float:
        """There are no multiplier blocks: logic for each pair of bits."""
        return _PRODUCT_BIT * a * b

    def product_area(self, a: int, b: int) -> float:
        """See `multiplier_area`."""
        return self.multiplier_area(a, b)

    def product_in_logic(self, a: int, b: int) -> bool:
        """There are no multiplier blocks."""
        del a, b
        return True

    def ram_style(self, asked: str, width: int, depth: int) -> str:
        """Whatever is asked for becomes flip-flops."""
        del width, depth
        return asked

    def fifo_style(self, width: int, depth: int) -> Literal["auto"]:
        """See `Fabric`."""
        del width, depth
        return "auto"

    def rom_style(self, width: int, depth: int) -> Literal["block", "distributed"]:
        """There are no memory blocks."""
        del width, depth
        return "distributed"

    def rom_arrival(self, style: str) -> float:
        """Nothing: the words are constants behind registers."""
        del style
        return 0.0

    def fifo_arrival(self, width: int) -> float:
        """A tree of multiplexers, and one of buffers from the address to all bits of a word."""
        return self.gate_ns * (_SELECT * math.log2(FIFO_WORDS) + math.log(max(width, 1), _TREE))

    def sum_delay(self, bits: int) -> float:
        """See `Fabric`."""
        return self.gate_ns * _adder(bits)

    def rom_area(self, width: int, depth: int) -> float:
        """Gates for each bit."""
        return _ROM_BIT * width * depth

    def delay(self, node: Node, nodes: Sequence[Node]) -> float:
        """See `Fabric`."""
        return self.gate_ns * self._gates(node, nodes)

    def derated(self, factor: float) -> GateFabric:
        """See `Fabric`."""
        return GateFabric(self.gate_ns * factor, self.register_ns * factor)

    def without_blocks(self) -> GateFabric:
        """The same: there are none."""
        return self

    def spread(self, node: Node, nodes: Sequence[Node], budget: float) -> Spread:
        """See `Fabric`: nothing moves registers into logic."""
        del budget
        return Spread(1, self.delay(node, nodes))

    def enable_delay(self, loads: int) -> float:
        """A gate, and a tree of buffers with `_TREE` loads each."""
        return self.gate_ns * (1 + math.log(max(1, loads), _TREE))

    def _gates(self, node: Node, nodes: Sequence[Node]) -> float:
        match node.op:
            case Op.SUM:
                variable = sum(nodes[arg].op is not Op.CONST for arg in node.args)
                gates = _adder(adder_bits(sum_terms(node, nodes), node.width))
                return gates + (_ROW if variable > 2 else 0.0)
            case Op.CAST:
                return _cast(node)
            case Op.COMPARE:
                if is_sign_test(node, nodes):
                    return 0.0
                return _adder(max(nodes[a].width for a in node.args))
            case Op.SELECT | Op.ROUND_EVEN:
                return _SELECT
            case Op.TABLE:
                return _TABLE_LEVEL * max(1, len(node.attr) - 1).bit_length()
            case Op.MUL:
                return _product(*sorted(nodes[arg].width for arg in node.args))
        return 0.0


def _adder(bits: int) -> float:
    return _SUM_START + _SUM_LEVEL * math.log2(max(bits, 1))


def _product(narrow: int, wide: int) -> float:
    rows, columns = math.log2(narrow), math.log2(wide)
    gates = _PRODUCT_START + _PRODUCT_ROWS * rows + _PRODUCT_COLUMNS * columns
    return max(gates, _adder(narrow + wide))


def _cast(node: Node) -> float:
    attr = node.attr
    assert isinstance(attr, Cast)
    gates = 0.0
    if attr.frac > attr.to.frac and attr.to.rounding in INCREMENTING:
        gates += _adder(node.width)
    if attr.to.overflow is not Overflow.WRAP:
        gates += 2 * _SELECT
    return gates
