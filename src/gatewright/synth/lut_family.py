"""Families of look-up tables with carry chains that add two operands: most there are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

from pydantic import Field
from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam, LutDelays, LutFabric
from gatewright.synth.command import CommandMapper
from gatewright.synth.family import Family

#: What a multiplier block counts in LUTs.
Price = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class LutFamily(Family):
    """What the file of a target says of such a family.

    Attributes:
        delays: the delay model.
        dsp_price: what a multiplier block counts in LUTs, against logic; None where devices have
            none.
    """

    delays: LutDelays
    dsp_price: Price | None

    #: Its mapper; the fields of that one are of the same name here.
    mapper_type: ClassVar[type[CommandMapper]]
    #: Inputs of a look-up table.
    table_inputs: ClassVar[int] = 4
    #: The memory block.
    block_ram: ClassVar[BlockRam]
    #: Whether look-up tables can be memories with an asynchronous read.
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
            # A LUT per bit and operand, where xilinx' sums of three operands take 0.35.
            digit_area=0.5,
            dsp_luts=self.dsp_price,
            block_ram=self.block_ram,
            distributed_ram=self.distributed_ram,
            product_luts=self.mapper_type.product_luts,
            logic_products=True,
        )
