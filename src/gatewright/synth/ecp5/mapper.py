"""How Yosys maps a netlist to Lattice ECP5."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.ecp5.multipliers import absorb_registers
from gatewright.synth.mapper import Packer
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class Ecp5Mapper(CommandMapper):
    """Maps to the LUTs, carry chains, multipliers and memories of ECP5."""

    cells = CellTable(
        # A CCU2C is two LUTs with a carry. A memory of 16 words of 4 bits takes a slice of two LUTs
        # for each two bits, and a third slice for the write port (Lattice FPGA-TN-02204).
        lut={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        ff={"TRELLIS_FF": 1},
        dsp={"MULT18X18D": 1},
        bram={"DP16KD": 0.5, "PDPW16KD": 0.5},
        memory=("TRELLIS_DPR16X4",),
        carry=("CCU2C",),
        free=("PFUMX", "L6MUX21", "VLO", "VHI", "GSR"),
    )

    @property
    @override
    def flow(self) -> str:
        # abc makes tables of up to seven inputs where it may, at twice the LUT4s for a product.
        return "synth_lattice -family ecp5 -noiopad -nowidelut"

    @property
    @override
    def packer(self) -> Packer:
        return absorb_registers

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "lattice" / "cells_sim_ecp5.v",)


MAPPER = Ecp5Mapper
