"""How Yosys maps a netlist to Anlogic EG4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class AnlogicMapper(CommandMapper):
    """Maps to the LUTs, carry chains and memories of Anlogic EG4."""

    cells = CellTable(
        lut={
            **{f"AL_MAP_LUT{inputs}": 1 for inputs in (1, 2, 3, 4)},
            "AL_MAP_LUT5": 2,
            "AL_MAP_LUT6": 4,
            "AL_MAP_ADDER": 1,
            "EG_LOGIC_DRAM16X4": 4,
        },
        ff={"AL_MAP_SEQ": 1},
        bram={"EG_PHY_BRAM": 0.25, "EG_PHY_BRAM32K": 32 / 36},
        memory=("EG_LOGIC_DRAM16X4",),
        carry=("AL_MAP_ADDER",),
    )

    @property
    @override
    def flow(self) -> str:
        return "synth_anlogic"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "anlogic" / "cells_sim.v",)


MAPPER = AnlogicMapper
