"""How Yosys maps a netlist to Lattice MachXO2 and MachXO3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class MachXoMapper(CommandMapper):
    """Maps to the LUTs, carry chains and memories of MachXO2 and MachXO3.

    Attributes:
        synth_family: `synth_lattice -family`.
    """

    synth_family: str

    cells = CellTable(
        lut={"LUT4": 1, "CCU2D": 2, "TRELLIS_DPR16X4": 6},
        ff={"TRELLIS_FF": 1},
        bram={"DP8KC": 0.25, "PDPW8KC": 0.25},
        memory=("TRELLIS_DPR16X4",),
        carry=("CCU2D",),
        free=("PFUMX", "L6MUX21", "VLO", "VHI", "GSR"),
    )

    @property
    @override
    def flow(self) -> str:
        return f"synth_lattice -family {self.synth_family} -noiopad"

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "lattice" / f"cells_sim_{self.synth_family}.v",)


MAPPER = MachXoMapper
