"""A target of Lattice Nexus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.nexus.mapper import NexusMapper


@dataclass(frozen=True)
class Nexus(LutFamily):
    """Lattice Nexus as a target describes it: see `LutFamily`.

    Attributes:
        synth_family: `synth_lattice -family`.
    """

    synth_family: Literal["lifcl", "lfd2nx"]

    mapper_type: ClassVar[type[NexusMapper]] = NexusMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=36, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = Nexus
