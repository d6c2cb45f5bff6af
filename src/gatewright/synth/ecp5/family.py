"""A target of Lattice ECP5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.errors import UnsupportedError
from gatewright.synth.ecp5.mapper import Ecp5Mapper
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.router import Placer, Router

_SIZES = {"LFE5U-12F": "12k", "LFE5U-25F": "25k", "LFE5U-45F": "45k", "LFE5U-85F": "85k"}

#: A package that all sizes are available in.
_PACKAGE = "CABGA381"

#: Share of a device's LUTs up to which its router ends behind the heap placer: on an 85F, it did at
#: 14,000 LUTs, and did not in 35 minutes at 22,000 (docs/placement.md).
_FULLEST = 0.2


@dataclass(frozen=True)
class Ecp5(LutFamily):
    """ECP5 as a target describes it: see `LutFamily`.

    Attributes:
        speed: speed grade; 8 is the fastest.
    """

    speed: Literal[6, 7, 8] = 6

    mapper_type: ClassVar[type[Ecp5Mapper]] = Ecp5Mapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=36, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = True

    @property
    @override
    def cost_model(self) -> str:
        return "ecp5"

    @override
    def router(self, device: str) -> Router:
        if device not in _SIZES:
            raise UnsupportedError(
                f"{device}: nextpnr does not know this ECP5; choose from {', '.join(_SIZES)}"
            )
        speed = str(self.speed)
        return Router(
            program="nextpnr-ecp5",
            options=(
                f"--{_SIZES[device]}",
                *("--package", _PACKAGE, "--speed", speed, "--lpf-allow-unconstrained"),
            ),
            device=f"{device}-{speed}{_PACKAGE}",
            oldest=(0, 8),  # whose static placer knows of timing
            placers=(Placer("static"), Placer("heap", fullest=_FULLEST)),
            counts={
                # Includes the cells that connect carry chains to logic.
                "lut": {"TRELLIS_COMB": 1},
                "ff": {"TRELLIS_FF": 1},
                "dsp": {"MULT18X18D": 1},
                "bram": {"DP16KD": 0.5},
            },
        )


FAMILY = Ecp5
