"""A target of Lattice ECP5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.synth.ecp5.mapper import Ecp5Mapper
from gatewright.synth.lut_family import LutFamily


@dataclass(frozen=True)
class Ecp5(LutFamily):
    """ECP5 as a target describes it: see `LutFamily`."""

    block_ram: ClassVar[BlockRam] = BlockRam(width=36, depth=512, luts=60)

    @property
    @override
    def mapper(self) -> Ecp5Mapper:
        return Ecp5Mapper(self.dsp_price)


FAMILY = Ecp5
