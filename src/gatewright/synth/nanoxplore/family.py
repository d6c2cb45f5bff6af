"""A target of NanoXplore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.nanoxplore.mapper import NanoXploreMapper


@dataclass(frozen=True)
class NanoXplore(LutFamily):
    """NanoXplore as a target describes it: see `LutFamily`.

    Attributes:
        synth_family: `synth_nanoxplore -family`.
    """

    synth_family: Literal["medium", "large", "ultra"]

    mapper_type: ClassVar[type[NanoXploreMapper]] = NanoXploreMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=24, depth=2048, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = NanoXplore
