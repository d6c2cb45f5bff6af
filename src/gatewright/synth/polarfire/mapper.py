"""How Yosys maps a netlist to Microchip PolarFire."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class PolarFireMapper(CommandMapper):
    """Maps to the LUTs, carry chains, multipliers and memories of PolarFire."""

    cells = CellTable(
        lut={**{f"CFG{inputs}": 1 for inputs in (1, 2, 3, 4)}, "ARI1": 1, "MX4": 2},
        ff={"SLE": 1},
        dsp={"MACC_PA": 1},
        # LSRAM, and uSRAM of 64 words of 12 bits.
        bram={"RAM1K20": 20 / 36, "RAM64x12": 768 / 36864},
        carry=("ARI1",),
        free=("CLKBUF", "CLKINT"),
    )

    @property
    @override
    def flow(self) -> str:
        return "synth_microchip -family polarfire -noiopad -noclkbuf"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "microchip" / "cells_sim.v",)


MAPPER = PolarFireMapper
