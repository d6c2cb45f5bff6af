"""Estimates for fabrics of look-up tables with carry chains, as families of FPGAs have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from gatewright.circuit.fabric import Spread, adder_bits, is_sign_test, sum_terms
from gatewright.circuit.graph import Cast, Node, Op
from gatewright.errors import UnsupportedError
from gatewright.fixed import Overflow, Rounding

#: Roundings whose result may be one more than the truncated value, so that they need an adder.
INCREMENTING = frozenset(Rounding) - {Rounding.TRN}

# Beats that are worth a block of memory, wherever a FIFO of fewer stands in look-up tables.
_BLOCK_WORDS = 32

_Nanoseconds = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class LutDelays:
    """Delay model of a fabric, in nanoseconds, routing included where a net is crossed."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    register: _Nanoseconds  # clock-to-output plus set-up: what a stage pays once
    lut: _Nanoseconds  # one LUT and the net to it
    carry_start: _Nanoseconds  # onto the carry chain and off it again, nets included
    carry_bit: _Nanoseconds  # per bit of carry chain
    rom: _Nanoseconds  # a ROM of one LUT per bit; larger ones add a LUT per factor of 4
    dsp: _Nanoseconds  # through a DSP block, from registered operands to a register
    # To registers in the block at its operands, and from there to that at its product; unknown
    # where tools move no registers to the operands.
    dsp_operands: _Nanoseconds | None = None
    # Beyond `register`, from a register in the block at its product to logic; 0 if unknown.
    dsp_net: _Nanoseconds | None = None
    # Of a net that enables registers, per doubling of their number; a quarter of a LUT if unknown.
    fanout: _Nanoseconds | None = None
    # From a clock edge until a block memory's word has settled, beyond `register`; 0 if unknown.
    memory: _Nanoseconds | None = None


@dataclass(frozen=True)
class BlockRam:
    """The memory block of a fabric: words of its widest shape, and what it counts in LUTs."""

    width: int
    depth: int
    luts: float


@dataclass(frozen=True)
class LutFabric:
    """A `Fabric` whose unit of area is the LUT.

    Attributes:
        delays: the delay model.
        table_inputs: inputs of a LUT, which is a ROM of as many address bits.
        sum_operands: how many operands a carry chain sums up at a LUT per bit.
        digit_area: LUTs of an adder graph per signed digit and bit of its results.
        dsp_luts: what a DSP block counts in LUTs; None where there is none.
        block_ram: the memory block.
        distributed_ram: whether look-up tables can be memories with an asynchronous read.
        product_luts: LUTs of a product of logic per pair of operand bits.
        logic_products: whether products that cost less in logic are mapped to logic; otherwise
            the synthesis tool decides, and every product is given the time of a DSP block.
        pipelined_products: whether the synthesis tool moves registers that follow a product into
            its DSP block.
    """

    unit: ClassVar[str] = "LUT"

    delays: LutDelays
    table_inputs: int
    sum_operands: Literal[2, 3]
    digit_area: float
    dsp_luts: float | None
    block_ram: BlockRam
    distributed_ram: bool = True
    product_luts: float = 1.0
    logic_products: bool = False
    pipelined_products: bool = False

    @property
    def register_ns(self) -> float:
        """See `Fabric`."""
        return self.delays.register

    @property
    def multiplier_price(self) -> str:
        """See `Fabric`."""
        if self.dsp_luts is None:
            return f"{self.product_luts:g} LUT per pair of bits"
        return f"{self.dsp_luts:g} LUT per DSP"

    @property
    def packs_accumulators(self) -> bool:
        """See `Fabric`: the tool that moves registers into DSP blocks moves accumulators, too."""
        return self.pipelined_products

    def sum_area(self, bits: int) -> float:
        """A LUT per bit."""
        return bits

    def held_area(self, bits: int) -> float:
        """A LUT per bit."""
        return bits

    def multiplier_area(self, a: int, b: int) -> float:
        """The price of one DSP block, however narrow the operands are; of logic without one."""
        return self.product_luts * a * b if self.dsp_luts is None else self.dsp_luts

    def product_area(self, a: int, b: int) -> float:
        """LUTs for each pair of bits, or a DSP block."""
        return min(self.product_luts * a * b, self.multiplier_area(a, b))

    def product_in_logic(self, a: int, b: int) -> bool:
        """See `Fabric`."""
        return self.logic_products and self.product_luts * a * b < (self.dsp_luts or math.inf)

    def ram_style(self, asked: str, width: int, depth: int) -> str:
        """See `Fabric`. A bit in registers counts as a LUT, beside which its flip-flop is."""
        if self.distributed_ram or asked == "block":
            return asked
        if asked == "distributed":
            raise UnsupportedError(
                "ram_style distributed: the target has no look-up tables that are memories; "
                "write block"
            )
        return "registers" if width * depth <= self._block_area(width, depth) else "block"

    def fifo_style(self, width: int, depth: int) -> Literal["auto", "block"]:
        """See `Fabric`.

        Tools put a deep memory that is read asynchronously into blocks, too. Where it is known how
        late their words arrive, such a FIFO gets a register behind its block.
        """
        del width
        late = self.delays.memory is not None and depth > _BLOCK_WORDS
        return "block" if late else "auto"

    def rom_style(self, width: int, depth: int) -> Literal["block", "distributed"]:
        """See `Fabric`."""
        in_blocks = self._block_area(width, depth)
        return "block" if self._rom_luts(width, depth) > in_blocks else "distributed"

    def rom_arrival(self, style: str) -> float:
        """See `Fabric`."""
        return self.delays.memory or 0.0 if style == "block" else 0.0

    def fifo_arrival(self, width: int) -> float:
        """See `Fabric`: look-up tables are memories of as many words, or choose among registers."""
        del width
        return self.delays.lut

    def sum_delay(self, bits: int) -> float:
        """See `Fabric`."""
        return self._chain_delay(bits)

    def rom_area(self, width: int, depth: int) -> float:
        """See `Fabric`."""
        return min(self._rom_luts(width, depth), self._block_area(width, depth))

    def derated(self, factor: float) -> LutFabric:
        """See `Fabric`."""
        times = {name: time and time * factor for name, time in asdict(self.delays).items()}
        return replace(self, delays=LutDelays(**times))

    def without_blocks(self) -> LutFabric:
        """See `Fabric`."""
        return replace(self, dsp_luts=None, logic_products=True, pipelined_products=False)

    def _rom_luts(self, width: int, depth: int) -> float:
        return width * math.ceil(depth / (1 << self.table_inputs))

    def _block_area(self, width: int, depth: int) -> float:
        block = self.block_ram
        return math.ceil(width / block.width) * math.ceil(depth / block.depth) * block.luts

    def delay(self, node: Node, nodes: Sequence[Node]) -> float:
        """See `Fabric`."""
        delays = self.delays
        match node.op:
            case Op.SUM:
                variable = sum(nodes[arg].op is not Op.CONST for arg in node.args)
                chain = self._chain_delay(adder_bits(sum_terms(node, nodes), node.width))
                return chain + (delays.lut if variable > 2 else 0.0)
            case Op.CAST:
                return self._cast_delay(node)
            case Op.COMPARE:
                if is_sign_test(node, nodes):
                    return 0.0
                return self._chain_delay(max(nodes[a].width for a in node.args))
            case Op.SELECT | Op.ROUND_EVEN:
                return delays.lut
            case Op.TABLE:
                bits = max(1, len(node.attr) - 1).bit_length()
                return delays.rom + max(0, (bits - self.table_inputs + 1) // 2) * delays.lut
            case Op.MUL:
                return self._product_delay(*(nodes[arg].width for arg in node.args))
        return 0.0

    def spread(self, node: Node, nodes: Sequence[Node], budget: float) -> Spread:
        """See `Fabric`."""
        delay, operands = self.delay(node, nodes), self.delays.dsp_operands
        if self.pipelined_products:
            registers = max(1, math.ceil(delay / budget))
            return Spread(registers, delay / registers)
        if self.product_in_logic(*(nodes[arg].width for arg in node.args)):
            return Spread(1, delay)
        arrival = self.delays.dsp_net or 0.0
        if operands is not None and operands < delay > budget:
            return Spread(2, operands, arrival)
        return Spread(1, delay, arrival)

    def enable_delay(self, loads: int) -> float:
        """See `Fabric`."""
        fanout = self.delays.lut / 4 if self.delays.fanout is None else self.delays.fanout
        return self.delays.lut + fanout * math.log2(max(1, loads))

    def _chain_delay(self, bits: int) -> float:
        return self.delays.carry_start + bits * self.delays.carry_bit

    def _product_delay(self, a: int, b: int) -> float:
        if not self.product_in_logic(a, b):
            return self.delays.dsp
        # Booth's recoding leaves half as many rows; compressors leave two of them for a chain.
        rows = math.ceil((min(a, b) + 1) / 2)
        compressors = math.ceil(math.log(max(rows, 2) / 2, 1.5))
        return (1 + compressors) * self.delays.lut + self._chain_delay(a + b)

    def _cast_delay(self, node: Node) -> float:
        attr = node.attr
        assert isinstance(attr, Cast)
        delay = 0.0
        if attr.frac > attr.to.frac and attr.to.rounding in INCREMENTING:
            delay += self.delays.lut + self._chain_delay(node.width)
        if attr.to.overflow is not Overflow.WRAP:
            delay += 2 * self.delays.lut
        return delay
