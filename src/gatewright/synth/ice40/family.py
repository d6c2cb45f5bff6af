"""A target of Lattice iCE40."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.ice40.mapper import Ice40Mapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class Ice40(LutFamily):
    """Lattice iCE40 as a target describes it: see `LutFamily`.

    Attributes:
        device: `synth_ice40 -device`.
    """

    device: Literal["hx", "lp", "u"]

    mapper_type: ClassVar[type[Ice40Mapper]] = Ice40Mapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=16, depth=256, luts=120)
    distributed_ram: ClassVar[bool] = False


FAMILY = Ice40
