"""A target of Gowin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from gatewright.circuit.lut_fabric import BlockRam
from gatewright.errors import UnsupportedError
from gatewright.synth.gowin.mapper import GowinMapper
from gatewright.synth.lut_family import LutFamily
from gatewright.synth.router import Router

_PINS = "pins.cst"
#: nextpnr's names for a device and its family, and three of its pins.
_DEVICES = {
    "GW1N-1": ("GW1N-LV1QN48C6/I5", "GW1N-1", ("35", "10", "11")),
    "GW1N-9": ("GW1NR-LV9QN88PC6/I5", "GW1N-9C", ("52", "53", "54")),
    "GW2A-18": ("GW2A-LV18PG256C8/I7", "GW2A-18", ("H11", "T10", "R12")),
}


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

    @override
    def router(self, device: str) -> Router:
        if device not in _DEVICES:
            raise UnsupportedError(
                f"{device}: Gatewright has no pins of it for nextpnr; choose from "
                f"{', '.join(_DEVICES)}"
            )
        part, family, pins = _DEVICES[device]
        located = zip(("clk", "shift_in", "shift_out"), pins, strict=True)
        return Router(
            program="nextpnr-himbaechel-gowin",
            options=("--device", part, "--vopt", f"family={family}", "--vopt", f"cst={_PINS}"),
            device=part,
            counts={
                "lut": {"LUT4": 1.0, "ALU": 1.0, "RAM16SDP4": 4.0},
                "ff": {"DFF": 1.0},
                "dsp": {"MULT9X9": 0.5, "MULT18X18": 1.0, "MULT36X36": 4.0},
                "bram": {"BSRAM": 0.5},
            },
            pads="-inpad IBUF O:I -outpad OBUF I:O",
            constraints=(_PINS, "".join(f'IO_LOC "{port}" {pin};\n' for port, pin in located)),
        )


FAMILY = Gowin
