"""How a family's tools map products, memories and shift registers: what coefficients can't say."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Thresholds of mapping.

    Attributes:
        lut_inputs: inputs of a LUT.
        product_bits: least width of a product that goes into a multiplier block by itself.
        block_operands: widths that a block multiplies, the wider first.
        shift_stages: least stages that become a shift register of LUTs.
        ram_bits: bits of a word that a group of `ram_luts` LUTs holds, up to 32 words, half as
            many up to 64: written and read at one address, at two.
        ram_luts: LUTs of such a group.
        block_luts: LUTs of distributed RAM above which a FIFO takes half a block of RAM instead.
        ram_least: bits below which a memory is made of flip-flops.
    """

    lut_inputs: int
    product_bits: int
    block_operands: tuple[int, int]
    shift_stages: int
    ram_bits: tuple[int, int]
    ram_luts: int
    block_luts: int
    ram_least: int

    def is_block_product(self, a: int, b: int, product: int, *, asked: bool) -> bool:
        """Whether a product of `a` by `b` bits goes into multiplier blocks."""
        return min(a, b) > 1 and (asked or product >= self.product_bits)

    def blocks(self, a: int, b: int) -> int:
        """Multiplier blocks of a product of `a` by `b` bits."""
        wide, narrow = self.block_operands
        return math.ceil(max(a, b) / wide) * math.ceil(min(a, b) / narrow)

    def is_shift_register(self, stages: int) -> bool:
        """Whether registers of so many stages, read at their end only, are LUTs."""
        return stages >= self.shift_stages

    def ram(self, bits: int, depth: int, *, addresses: int = 2) -> int:
        """LUTs of a memory of `depth` words of `bits` bits in distributed RAM."""
        held = self.ram_bits[addresses - 1]
        if depth <= 32:
            return self.ram_luts * math.ceil(bits / held)
        return self.ram_luts * math.ceil(2 * bits / held) * math.ceil(depth / 64)
