"""A target of Cologne Chip GateMate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.gatemate.mapper import GateMateMapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class GateMate(LutFamily):
    """Cologne Chip GateMate as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[GateMateMapper]] = GateMateMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=40, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = False


FAMILY = GateMate
