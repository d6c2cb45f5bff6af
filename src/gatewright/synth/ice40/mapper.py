"""How Yosys maps a netlist to Lattice iCE40."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class Ice40Mapper(CommandMapper):
    """Maps to the LUTs, carries, multipliers and memories of iCE40.

    Attributes:
        device: `synth_ice40 -device`.
    """

    device: str

    cells = CellTable(
        # A carry is part of a LUT's logic cell.
        lut={"SB_LUT4": 1},
        ff={
            f"SB_DFF{edge}{kind}": 1
            for edge in ("", "N")
            for kind in ("", "E", "R", "S", "SR", "SS", "ER", "ES", "ESR", "ESS")
        },
        dsp={"SB_MAC16": 1},
        bram={f"SB_RAM40_4K{kind}": 1 / 9 for kind in ("", "NR", "NW", "NRNW")},
        carry=("SB_CARRY",),
        free=("SB_CARRY",),
    )

    @property
    @override
    def flow(self) -> str:
        return f"synth_ice40 -device {self.device}" + (" -dsp" if self.dsp_price else "")

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "ice40" / "cells_sim.v",)


MAPPER = Ice40Mapper
