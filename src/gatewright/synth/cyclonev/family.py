"""A target of Intel Cyclone V."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.cyclonev.mapper import CycloneVMapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class CycloneV(LutFamily):
    """Intel Cyclone V as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[CycloneVMapper]] = CycloneVMapper
    table_inputs: ClassVar[int] = 6
    block_ram: ClassVar[BlockRam] = BlockRam(width=40, depth=256, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = CycloneV
