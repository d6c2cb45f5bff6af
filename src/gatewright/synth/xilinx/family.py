"""A target of AMD devices, and the cost model of their fabric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam, LutDelays, LutFabric
from gatewright.synth.family import Family
from gatewright.synth.xilinx.mapper import XilinxMapper


@dataclass(frozen=True)
class Xilinx(Family):
    """The settings of AMD devices in the file of a target.

    Attributes:
        synth_family: Yosys' name of the family, `synth_xilinx -family`.
        part: the device for Vitis HLS.
        dsp_price: cost of a DSP slice, in LUTs, to compare with adder graphs.
        delays: the delay model.
    """

    synth_family: Literal["xc7", "xcu", "xcup"]
    part: str
    dsp_price: Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
    delays: LutDelays

    @property
    @override
    def mapper(self) -> XilinxMapper:
        return XilinxMapper(self.synth_family)

    @property
    @override
    def fabric(self) -> LutFabric:
        return LutFabric(
            delays=self.delays,
            table_inputs=6,
            # `adders` adds three operands with one LUT per bit.
            sum_operands=3,
            # da4ml's graphs cost 0.22 in a sparse 6-bit network, 0.40 in a dense 16-bit one.
            digit_area=0.35,
            dsp_luts=self.dsp_price,
            # Half a block RAM: 18 Kb.
            block_ram=BlockRam(width=36, depth=512, luts=60),
            pipelined_products=True,
        )

    @property
    @override
    def cost_model(self) -> str:
        return self.synth_family

    @property
    @override
    def hls_part(self) -> str:
        return self.part


FAMILY = Xilinx
