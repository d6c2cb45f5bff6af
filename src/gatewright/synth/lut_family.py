"""FPGA families whose carry chains add two operands, as most do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

from pydantic import Field
from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam, LutDelays, LutFabric
from gatewright.synth.command import CommandMapper
from gatewright.synth.family import Family

#: Cost of a DSP block, in LUTs.
Price = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class LutFamily(Family):
    """The settings of such a family in the file of a target.

    Attributes:
        delays: the delay model.
        dsp_price: cost of a DSP block, in LUTs, to compare with logic; None if there are none.
    """

    delays: LutDelays
    dsp_price: Price | None

    #: Class of its mapper, whose fields have the same names here.
    mapper_type: ClassVar[type[CommandMapper]]
    #: Inputs of a look-up table.
    table_inputs: ClassVar[int] = 4
    #: The block RAM.
    block_ram: ClassVar[BlockRam]
    #: Whether look-up tables can be memories with asynchronous read.
    distributed_ram: ClassVar[bool]

    @property
    @override
    def mapper(self) -> CommandMapper:
        own = {each.name: getattr(self, each.name) for each in fields(self.mapper_type)}
        return self.mapper_type(**own)

    @property
    @override
    def fabric(self) -> LutFabric:
        return LutFabric(
            delays=self.delays,
            table_inputs=self.table_inputs,
            sum_operands=2,
            # A LUT per bit and operand; the three-operand sums of `xilinx` have 0.35 here.
            digit_area=0.5,
            dsp_luts=self.dsp_price,
            block_ram=self.block_ram,
            distributed_ram=self.distributed_ram,
            product_luts=self.mapper_type.product_luts,
            logic_products=True,
        )
