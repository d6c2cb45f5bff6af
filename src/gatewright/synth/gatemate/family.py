"""A target of Cologne Chip GateMate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.errors import UnsupportedError
from gatewright.synth.gatemate.mapper import GateMateMapper
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.router import Router


@dataclass(frozen=True)
class GateMate(LutFamily):
    """Cologne Chip GateMate as a target describes it: see `LutFamily`."""

    mapper_type: ClassVar[type[GateMateMapper]] = GateMateMapper
    block_ram: ClassVar[BlockRam] = BlockRam(width=40, depth=512, luts=60)
    distributed_ram: ClassVar[bool] = False

    @override
    def router(self, device: str) -> Router:
        if device != "CCGM1A1":
            raise UnsupportedError(f"{device}: only CCGM1A1, a single die, can be routed")
        return Router(
            program="nextpnr-himbaechel-gatemate",
            options=("--device", device, "--vopt", "allow-unconstrained"),
            device=device,
            # Half a CPE is a tree of LUTs or an adder, and a register.
            counts={
                "lut": {"CPE_LT": 1.0, "CPE_ADDF": 1.0, "CPE_ADDF2": 2.0},
                "ff": {"CPE_FF": 1.0},
                "bram": {"RAM_HALF": 20 / 36},
            },
            joint=True,
            pads="-inpad CC_IBUF Y:I -outpad CC_OBUF A:O",
        )


FAMILY = GateMate
