"""How Yosys maps a netlist to Lattice Nexus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class NexusMapper(CommandMapper):
    """Maps to the LUTs, carry chains, multipliers and memories of Nexus.

    Attributes:
        synth_family: `synth_lattice -family`.
    """

    synth_family: str

    cells = CellTable(
        lut={"LUT4": 1, "CCU2": 2, "DPR16X4": 6, "INV": 1},
        ff={f"FD1P3{kind}X": 1 for kind in "BDIJ"},
        # In 18x18 multipliers, as data sheets count them.
        dsp={
            "MULT9X9": 0.5,
            "MULT18X18": 1,
            "MULT18X36": 2,
            "MULT36X36": 4,
            "MULTPREADD9X9": 0.5,
            "MULTPREADD18X18": 1,
            "MULTADDSUB9X9WIDE": 2,
            "MULTADDSUB18X18": 1,
            "MULTADDSUB18X18WIDE": 2,
        },
        bram={"DP16K": 0.5, "PDP16K": 0.5, "PDPSC16K": 0.5, "SP16K": 0.5},
        memory=("DPR16X4",),
        carry=("CCU2",),
        free=("WIDEFN9", "VLO", "VHI"),
    )

    @property
    @override
    def flow(self) -> str:
        return f"synth_lattice -family {self.synth_family} -noiopad"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "lattice" / "cells_sim_nexus.v",)


MAPPER = NexusMapper
