"""A target of Anlogic EG4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.anlogic.mapper import AnlogicMapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class Anlogic(LutFamily):
    """Anlogic EG4 as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[AnlogicMapper]] = AnlogicMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=18, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = Anlogic
