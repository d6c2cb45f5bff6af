"""Rules by which a family's tools map products, memories and shift registers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Thresholds of the mapping.

    Attributes:
        lut_inputs: inputs of a LUT.
        product_bits: least width of a product that is mapped to DSP blocks without a request.
        block_operands: operand widths of a DSP block, the larger first.
        shift_stages: least number of stages that become a shift register in LUTs.
        ram_bits: bits per word in a group of `ram_luts` LUTs with up to 32 words, half as many with
            up to 64; with one address for reads and writes, and with two addresses.
        ram_luts: LUTs of such a group.
        block_luts: LUTs of distributed RAM above which a FIFO takes half a block RAM instead.
        ram_least: bits up to which a memory is made of flip-flops.
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
        """Whether a product of `a` by `b` bits is mapped to DSP blocks; `asked` for a request."""
        return min(a, b) > 1 and (asked or product >= self.product_bits)

    def blocks(self, a: int, b: int) -> int:
        """Number of DSP blocks of a product of `a` by `b` bits."""
        wide, narrow = self.block_operands
        return math.ceil(max(a, b) / wide) * math.ceil(min(a, b) / narrow)

    def is_shift_register(self, stages: int) -> bool:
        """Whether `stages` registers that are read only at the end become LUTs."""
        return stages >= self.shift_stages

    def ram(self, bits: int, depth: int, *, addresses: int = 2) -> int:
        """LUTs of a memory of `depth` words of `bits` bits in distributed RAM."""
        held = self.ram_bits[addresses - 1]
        if depth <= 32:
            return self.ram_luts * math.ceil(bits / held)
        return self.ram_luts * math.ceil(2 * bits / held) * math.ceil(depth / 64)
