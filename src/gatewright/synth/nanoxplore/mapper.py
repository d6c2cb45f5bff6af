"""How Yosys maps a netlist to NanoXplore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class NanoXploreMapper(CommandMapper):
    """Maps to the LUTs, carry chains and memories of NanoXplore devices.

    Attributes:
        synth_family: `synth_nanoxplore -family`.
    """

    synth_family: str

    cells = CellTable(
        lut={"NX_LUT": 1, "NX_CY": 4},
        ff={"NX_DFF": 1, "NX_BFF": 1},
        # RAM blocks and register files.
        bram={
            "NX_RAM": 48 / 36,
            "NX_RFB": 1 / 36,
            "NX_RFB_L": 1 / 36,
            "NX_RFB_U": 36 * 18 / 36864,
        },
        carry=("NX_CY",),
    )

    @property
    @override
    def flow(self) -> str:
        # Yosys 0.70 maps register files of NG-Medium to a cell that it doesn't know.
        files = " -norfram" if self.synth_family == "medium" else ""
        return f"synth_nanoxplore -family {self.synth_family} -noiopad{files}"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "nanoxplore" / "cells_sim.v",)


MAPPER = NanoXploreMapper
