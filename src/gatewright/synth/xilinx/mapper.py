"""How Yosys maps a netlist to AMD devices: `synth_xilinx`, run in sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from gatewright.synth.mapper import Mapper, Netlist
from gatewright.synth.xilinx.adders import CARRY, map_adders
from gatewright.synth.yosys import yosys_share

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources

# The multiplier of a family's DSP slice: Yosys' techmap file, and the operand widths.
_MULTIPLIERS = {
    "xc7": ("xc7_dsp_map.v", 25, 18),
    "xcu": ("xcu_dsp_map.v", 27, 18),
    "xcup": ("xcu_dsp_map.v", 27, 18),
}


@dataclass(frozen=True)
class XilinxMapper(Mapper):
    """Maps to LUTs, carry chains, DSP slices and memories of AMD devices.

    Attributes:
        synth_family: `synth_xilinx -family`.
    """

    synth_family: str

    @property
    @override
    def flow(self) -> str:
        return f"synth_xilinx -family {self.synth_family}"

    @override
    def map(self, netlist: Netlist, top: str) -> list[str]:
        synth = f"{self.flow} -top {top} -noiopad -noclkbuf -flatten"
        cells = netlist["modules"][top]["cells"].values()
        # If there are no memories, multipliers or primitives, skip the files that Yosys reads to
        # map them, which takes most of the time of a small module.
        blocks = any(_is_block(cell["type"]) for cell in cells)
        return [
            f"log Mapped {map_adders(netlist)} sums onto carry chains.",
            *(self._map_blocks(synth) if blocks else _map_none(synth, top)),
            f"{synth} -run map_ffram:check",
            f"chtype -set CARRY4 t:{CARRY}",
            f"delete ={CARRY}",
        ]

    def _map_blocks(self, synth: str) -> list[str]:
        commands = [
            f"{synth} -run begin:map_dsp",
            "chtype -set $__soft_mul t:$mul a:use_dsp=no %i",
            *self._map_narrow_products(),
            f"{synth} -run map_dsp:coarse",
        ]
        if self.synth_family != "xc7":
            # Yosys packs registers into a DSP48E1 only; those of a DSP48E2 are the same.
            commands += [
                "chtype -set DSP48E1 t:DSP48E2",
                "xilinx_dsp -family xc7",
                "chtype -set DSP48E2 t:DSP48E1",
            ]
        return [*commands, f"{synth} -run coarse:map_ffram"]

    def _map_narrow_products(self) -> list[str]:
        """Map products with use_dsp=yes that are too narrow for `synth_xilinx` to DSP slices."""
        file, a, b = _MULTIPLIERS[self.synth_family]
        return [
            f"techmap -map +/mul2dsp.v -map +/xilinx/{file} -D DSP_NAME=$__MUL{a}X{b}"
            f" -D DSP_A_MAXWIDTH={a} -D DSP_B_MAXWIDTH={b} -D DSP_A_MAXWIDTH_PARTIAL=18"
            " -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=2 -D DSP_SIGNEDONLY=1"
            " t:$mul a:use_dsp=yes %i"
        ]

    @override
    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        from gatewright.synth.xilinx.cells import count  # which the worker has no use for

        return count(cells, module)

    @override
    def models(self) -> tuple[Path, ...]:
        return (yosys_share() / "xilinx" / "cells_sim.v",)


def _map_none(synth: str, top: str) -> list[str]:
    return [
        "read_verilog -lib -specify +/xilinx/cells_sim.v",
        f"hierarchy -check -top {top}",
        f"{synth} -run prepare:map_dsp",
        f"{synth} -run coarse:map_memory",
    ]


def _is_block(kind: str) -> bool:
    """Whether a cell of an elaborated netlist can become anything but LUTs and flip-flops."""
    return not kind.startswith("$") or kind == "$mul" or kind.startswith("$mem")


MAPPER = XilinxMapper
