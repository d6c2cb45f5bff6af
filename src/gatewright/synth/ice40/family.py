"""A target of Lattice iCE40."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.errors import UnsupportedError
from gatewright.synth.ice40.mapper import Ice40Mapper
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.router import Router

#: nextpnr's option for a device, and a package that it is available in.
_DEVICES = {
    "iCE40HX1K": ("hx1k", "tq144"),
    "iCE40HX4K": ("hx4k", "tq144"),
    "iCE40HX8K": ("hx8k", "ct256"),
    "iCE40LP1K": ("lp1k", "qn84"),
    "iCE40LP4K": ("lp4k", "cm225"),
    "iCE40LP8K": ("lp8k", "cm225"),
    "iCE40UP3K": ("up3k", "sg48"),
    "iCE40UP5K": ("up5k", "sg48"),
}


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

    @override
    def router(self, device: str) -> Router:
        if device not in _DEVICES:
            raise UnsupportedError(
                f"{device}: nextpnr does not know this iCE40; choose from {', '.join(_DEVICES)}"
            )
        option, package = _DEVICES[device]
        # A logic cell is a LUT, a carry and a register; the count doesn't say which are used.
        counts = {"lut": {"ICESTORM_LC": 1.0}, "bram": {"ICESTORM_RAM": 1 / 9}}
        if self.device == "u":
            counts["dsp"] = {"ICESTORM_DSP": 1.0}
        return Router(
            program="nextpnr-ice40",
            options=(f"--{option}", "--package", package, "--pcf-allow-unconstrained"),
            device=f"{device}-{package.upper()}",
            counts=counts,
            joint=True,
        )


FAMILY = Ice40
