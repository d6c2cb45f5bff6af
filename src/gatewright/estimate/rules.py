"""Rules by which a family's tools map sums, products, memories and shift registers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict

from gatewright.estimate.truth_tables import Tables

if TYPE_CHECKING:
    from gatewright.circuit.fabric import Fabric


@dataclass(frozen=True)
class Products:
    """How products are mapped to DSP blocks and to logic.

    Attributes:
        block_operands: operand widths of a DSP block, the larger first.
        block_bits: least width of a product that the tools map to a block without a request.
        block_registers: which registers a block takes: none, those of its product, or all at its
            operands and its product, and accumulators.
        recoded: least width of both operands of a product in logic that Booth's recoding is used
            for; narrower ones are sums of rows.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    block_operands: tuple[int, int]
    block_bits: int
    block_registers: Literal["none", "product", "all"]
    recoded: int

    def in_block(self, a: int, b: int, product: int, fabric: Fabric) -> bool:
        """Whether a product of `a` by `b` bits is in blocks if nothing says where."""
        return product >= self.block_bits and not fabric.product_in_logic(a, b)

    def blocks(self, a: int, b: int) -> int:
        """Number of DSP blocks of a product of `a` by `b` bits."""
        wide, narrow = self.block_operands
        return math.ceil(max(a, b) / wide) * math.ceil(min(a, b) / narrow)


@dataclass(frozen=True)
class CarryChain:
    """What a carry chain takes.

    Attributes:
        least: least bits of a sum that has a carry chain; those of narrower ones are logic.
        step: bits of a cell of the chain.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    least: int
    step: int

    def bits(self, bits: int) -> int:
        """Bits of a chain of whole cells."""
        return -(-bits // self.step) * self.step


@dataclass(frozen=True)
class DistributedRam:
    """Memories in LUTs: groups of LUTs that hold words of a few bits.

    Attributes:
        luts: LUTs of a group.
        words: words that a group holds; each further depth halves the bits per word.
        bits: bits per word at the first of these depths, with one address for reads and writes, and
            with two addresses.
        least: bits up to which a memory is made of flip-flops instead.
        block: LUTs of a FIFO above which it takes half a block RAM instead.
        free_choice: whether LUTs have multiplexers that choose among groups.
        copied_address: whether the tools make a copy of the registers of the address that is read.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    luts: int
    words: tuple[int, ...]
    bits: tuple[int, int]
    least: int
    block: int
    free_choice: bool
    copied_address: bool

    def cost(self, bits: int, depth: int, addresses: int) -> int:
        """LUTs of a memory of `depth` words of `bits` bits, without multiplexers."""
        held, last = self.bits[addresses - 1], len(self.words) - 1
        halved = next((at for at, words in enumerate(self.words) if depth <= words), last)
        return self.luts * math.ceil((bits << halved) / held) * self._groups(depth)

    def choice(self, bits: int, depth: int) -> int:
        """LUTs that choose a word among groups, one of two for each bit."""
        return 0 if self.free_choice else (self._groups(depth) - 1) * bits

    def _groups(self, depth: int) -> int:
        return math.ceil(depth / self.words[-1])


@dataclass(frozen=True)
class Rules:
    """Rules of the mapping.

    Attributes:
        tables: how functions of a few bits are mapped.
        chain: how sums are mapped.
        products: how products are mapped.
        ram: how memories are mapped.
        shift_stages: least number of stages that become a shift register in LUTs; None if LUTs
            can't be shift registers.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    tables: Tables
    chain: CarryChain
    products: Products
    ram: DistributedRam
    shift_stages: int | None

    def is_shift_register(self, stages: int) -> bool:
        """Whether `stages` registers that are read only at the end become LUTs."""
        return self.shift_stages is not None and stages >= self.shift_stages
