"""Families of small look-up tables with carry chains that add two operands: most there are."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
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

    #: Inputs of a look-up table.
    table_inputs: ClassVar[int] = 4
    #: The memory block as a ROM.
    block_ram: ClassVar[BlockRam]

    @property
    @override
    @abstractmethod
    def mapper(self) -> CommandMapper: ...

    @property
    @override
    def fabric(self) -> LutFabric:
        return LutFabric(
            delays=self.delays,
            table_inputs=self.table_inputs,
            sum_operands=2,
            digit_area=0.5,
            dsp_luts=self.dsp_price,
            block_ram=self.block_ram,
            product_luts=CommandMapper.product_luts,
            logic_products=True,
        )
