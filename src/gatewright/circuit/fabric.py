"""The interface to estimates of a family's logic: areas and delays of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gatewright.circuit.graph import Node, Op

#: Beats of a FIFO that estimates reckon with: its depth is measured when the design is made.
FIFO_WORDS = 16


@dataclass(frozen=True)
class Spread:
    """A product over pipeline stages.

    Attributes:
        registers: registers that follow it and that the tools spread its logic among, at least 1.
        slowest: time of the longest part in ns, from registered operands to a register.
        arrival: ns from the clock edge of the last register until its reader sees it, beyond what
            a register takes.
    """

    registers: int
    slowest: float
    arrival: float = 0.0


class Fabric(Protocol):
    """The logic of a family, as far as estimates go.

    Areas are in a unit of the family's own: they are compared with each other, never with those
    of another family.
    """

    @property
    def unit(self) -> str:
        """Name of the unit of areas, for messages: "LUT", for example."""

    @property
    def register_ns(self) -> float:
        """Register overhead of a pipeline stage in ns: clock-to-output plus set-up."""

    @property
    def sum_operands(self) -> Literal[2, 3]:
        """How many operands a sum may have at the price of two."""

    @property
    def table_inputs(self) -> int:
        """Bits of an index up to which a table is no dearer than the operations it replaces."""

    @property
    def digit_area(self) -> float:
        """Area of an adder graph per signed digit of its matrix and bit of its results."""

    @property
    def multiplier_price(self) -> str:
        """The assumed cost of multipliers, for messages: "30 LUT per DSP", for example."""

    @property
    def packs_accumulators(self) -> bool:
        """Whether the tools put a product and the accumulator behind it into one DSP block."""

    def delay(self, node: Node, nodes: Sequence[Node]) -> float:
        """Time through one node of a circuit in ns, the net to its reader included."""

    def spread(self, node: Node, nodes: Sequence[Node], budget: float) -> Spread:
        """How the tools spread a product over the registers that follow it.

        Args:
            node: the product.
            nodes: all nodes of the circuit.
            budget: what a stage has of a clock period, in ns.
        """

    def enable_delay(self, loads: int) -> float:
        """Time in ns through a gate that enables `loads` registers, the net to them included."""

    def sum_area(self, bits: int) -> float:
        """Area of a sum of up to `sum_operands` operands with a result of `bits` bits."""

    def held_area(self, bits: int) -> float:
        """Area of registers that are loaded or shifted: of the multiplexers before them."""

    def multiplier_area(self, a: int, b: int) -> float:
        """Price of a multiplier block for operands of `a` and `b` bits."""

    def product_area(self, a: int, b: int) -> float:
        """Price of such a product made of whatever costs less, a multiplier block or logic."""

    def product_in_logic(self, a: int, b: int) -> bool:
        """Whether such a product is made of logic by its price; otherwise the tools decide."""

    def ram_style(self, asked: str, width: int, depth: int) -> str:
        """What a delay line of `depth` words stands in.

        Args:
            asked: "auto", "block" or "distributed".
            width: bits of a word.
            depth: number of words.

        Returns:
            "block", "distributed" or "registers"; or "auto", which leaves it to the module.

        Raises:
            UnsupportedError: if there is no such memory.
        """

    def fifo_style(self, width: int, depth: int) -> Literal["auto", "block"]:
        """What a FIFO of `depth` beats stands in; "auto" leaves it to the module and the tools."""

    def rom_style(self, width: int, depth: int) -> Literal["block", "distributed"]:
        """Where a ROM of `depth` words costs less: in memory blocks or in logic."""

    def rom_arrival(self, style: str) -> float:
        """Time in ns from a clock edge until a ROM's word has settled, beyond a register's."""

    def fifo_arrival(self, width: int) -> float:
        """The same of the beat of `width` bits that a FIFO offers, of up to `FIFO_WORDS` beats."""

    def sum_delay(self, bits: int) -> float:
        """Time in ns through a sum of two operands with a result of `bits` bits."""

    def rom_area(self, width: int, depth: int) -> float:
        """Price of that ROM, where it costs less."""

    def derated(self, factor: float) -> Fabric:
        """The same logic with every time multiplied by a factor."""

    def without_blocks(self) -> Fabric:
        """The same with no multiplier blocks: products are logic."""


def adder_bits(terms: Sequence[tuple[int, int, int]], width: int) -> int:
    """Bits in which a sum of (sign, shift, width) terms with a result of `width` bits adds.

    Below the second lowest operand the lowest one passes through on wires, unless it is negated.
    """
    if len(terms) == 1:
        return width - terms[0][1]
    (sign, lowest, _), (_, second, _) = sorted(terms, key=lambda term: term[1])[:2]
    return width - (second if sign > 0 else lowest)


def sum_terms(node: Node, nodes: Sequence[Node]) -> list[tuple[int, int, int]]:
    """The (sign, shift, width) terms of a SUM node; a constant's trailing zeros count as shift."""
    terms = []
    for (sign, shift), arg in zip(node.attr, node.args, strict=True):
        operand = nodes[arg]
        if operand.op is Op.CONST:
            zeros = (operand.lo & -operand.lo).bit_length() - 1
            terms.append((sign, shift + zeros, operand.width - zeros))
        else:
            terms.append((sign, shift, operand.width))
    return terms


def is_sign_test(node: Node, nodes: Sequence[Node]) -> bool:
    """Whether a COMPARE node asks for the sign bit and nothing else."""
    relation = node.attr[0]
    return relation in ("<", ">=") and nodes[node.args[1]].hi == nodes[node.args[1]].lo == 0
