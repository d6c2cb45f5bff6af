"""A target of Gowin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.gowin.mapper import GowinMapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class Gowin(LutFamily):
    """Gowin as a target describes it: see `LutFamily`.

    Attributes:
        synth_family: `synth_gowin -family`.
    """

    synth_family: Literal["gw1n", "gw2a", "gw5a"]

    mapper_type: ClassVar[type[GowinMapper]] = GowinMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=36, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = True


FAMILY = Gowin
