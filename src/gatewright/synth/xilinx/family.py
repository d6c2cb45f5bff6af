"""A target of AMD devices, and the estimates for their fabric."""

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
    """What the file of a target says of its devices.

    Attributes:
        synth_family: Yosys' name of the family: `synth_xilinx -family`.
        part: the device that Vitis HLS is told.
        dsp_price: what a DSP slice counts in LUTs, against adder graphs.
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
            # `adders` maps three operands to a LUT per bit.
            sum_operands=3,
            # da4ml's graphs cost 0.22 in a sparse 6-bit network, 0.40 in a dense 16-bit one.
            digit_area=0.35,
            dsp_luts=self.dsp_price,
            # Half a block: 18 Kb.
            block_ram=BlockRam(width=36, depth=512, luts=60),
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
