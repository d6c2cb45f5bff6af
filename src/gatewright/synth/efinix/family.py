"""A target of Efinix Trion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.efinix.mapper import EfinixMapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class Efinix(LutFamily):
    """Efinix Trion as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[EfinixMapper]] = EfinixMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=20, depth=256, luts=60)
    distributed_ram: ClassVar[bool] = False


FAMILY = Efinix
