"""A target of Lattice Nexus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.errors import UnsupportedError
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.nexus.mapper import NexusMapper
from gatewright.synth.router import Router


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

    @override
    def router(self, device: str) -> Router:
        raise UnsupportedError(
            f"{device}: nextpnr refuses the carry chains of Yosys' netlists for Nexus"
        )


FAMILY = Nexus
