"""How Yosys maps a netlist to Cologne Chip GateMate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class GateMateMapper(CommandMapper):
    """Maps to the LUT trees, adders and memories of GateMate."""

    cells = CellTable(
        # In halves of a CPE: a tree of LUTs takes one half for four inputs, both for five.
        lut={
            **dict.fromkeys(("CC_LUT1", "CC_LUT2", "CC_L2T4", "CC_MX2", "CC_ADDF"), 1),
            **dict.fromkeys(("CC_L2T5", "CC_MX4"), 2),
        },
        ff={"CC_DFF": 1},
        bram={"CC_BRAM_20K": 20 / 36, "CC_BRAM_40K": 40 / 36},
        carry=("CC_ADDF",),
        latches=("CC_DLT",),
        free=("CC_BUFG",),
    )

    @property
    @override
    def flow(self) -> str:
        return "synth_gatemate -luttree -nomx8 -noiopad -noclkbuf"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "gatemate" / "cells_sim.v",)


MAPPER = GateMateMapper
