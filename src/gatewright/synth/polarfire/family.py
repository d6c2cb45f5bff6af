"""A target of Microchip PolarFire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.polarfire.mapper import PolarFireMapper


@dataclass(frozen=True)
class PolarFire(LutFamily):
    """Microchip PolarFire as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[PolarFireMapper]] = PolarFireMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=40, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = False


FAMILY = PolarFire
