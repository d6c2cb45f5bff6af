"""A target of Lattice MachXO2 and MachXO3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.machxo.mapper import MachXoMapper


@dataclass(frozen=True)
class MachXo(LutFamily):
    """Lattice MachXO2 and MachXO3 as a target describes it: see `LutFamily`.

    Attributes:
        synth_family: `synth_lattice -family`.
    """

    synth_family: Literal["xo2", "xo3", "xo3d"]

    mapper_type: ClassVar[type[MachXoMapper]] = MachXoMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=18, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = MachXo
