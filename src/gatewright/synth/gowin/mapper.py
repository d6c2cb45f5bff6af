"""How Yosys maps a netlist to Gowin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class GowinMapper(CommandMapper):
    """Maps to the LUTs, carry chains, multipliers and memories of Gowin devices.

    Attributes:
        synth_family: `synth_gowin -family`.
    """

    synth_family: str

    cells = CellTable(
        # An ALU is a LUT with a carry. A memory of 16 words takes one LUT per bit.
        lut={
            **{f"LUT{inputs}": 1 for inputs in (1, 2, 3, 4)},
            "ALU": 1,
            "RAM16SDP1": 1,
            "RAM16SDP2": 2,
            "RAM16SDP4": 4,
        },
        ff={
            f"DFF{edge}{kind}{enable}": 1
            for edge in ("", "N")
            for kind in ("", "R", "S", "C", "P")
            for enable in ("", "E")
        },
        dsp={"MULT9X9": 0.5, "MULT18X18": 1, "MULT36X36": 4},
        bram=dict.fromkeys(
            ("SP", "SPX9", "SDP", "SDPX9", "SDPB", "SDPX9B", "DP", "DPX9", "DPB", "DPX9B"), 0.5
        ),
        memory=("RAM16SDP1", "RAM16SDP2", "RAM16SDP4"),
        carry=("ALU",),
        free=("MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8", "VCC", "GND", "GSR"),
    )

    @property
    @override
    def flow(self) -> str:
        return f"synth_gowin -family {self.synth_family} -noiopads"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "gowin" / "cells_sim.v",)


MAPPER = GowinMapper
