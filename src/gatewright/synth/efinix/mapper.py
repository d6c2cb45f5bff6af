"""How Yosys maps a netlist to Efinix Trion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class EfinixMapper(CommandMapper):
    """Maps to the LUTs, adders and memories of Efinix Trion."""

    cells = CellTable(
        lut={"EFX_LUT4": 1, "EFX_ADD": 1},
        ff={"EFX_FF": 1},
        bram={"EFX_RAM_5K": 5 / 36},
        carry=("EFX_ADD",),
        free=("EFX_GBUFCE",),
    )

    @property
    @override
    def flow(self) -> str:
        return "synth_efinix"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "efinix" / "cells_sim.v",)


MAPPER = EfinixMapper
