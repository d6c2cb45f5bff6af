"""Resources of the cells of a mapped netlist on AMD devices."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.errors import DesignFailure
from gatewright.results.utilization import Resources

_LOGIC = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV")
# LUTs that a memory primitive takes (AMD UG474, UG574: distributed RAM).
_MEMORY = {
    "SRL16": 1,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
    "RAM32X16DR8": 8,
}
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1")
_DSP = ("DSP48E1", "DSP48E2")
_BLOCK_RAM = {"RAMB18E1": 0.5, "RAMB18E2": 0.5, "RAMB36E1": 1.0, "RAMB36E2": 1.0}
_CARRY = ("CARRY4", "CARRY8")
_LATCHES = ("LDCE", "LDPE")


def count(cells: Mapping[str, int], module: str) -> Resources:
    """Resources of a mapped netlist, see `Mapper.count`.

    Raises:
        DesignFailure: if there are latches.
    """
    latches = sum(cells.get(name, 0) for name in _LATCHES)
    if latches:
        raise DesignFailure(f"{module}: {latches} latches; assign every signal on every path")
    memory = sum(luts * cells.get(name, 0) for name, luts in _MEMORY.items())
    bram = sum(blocks * cells.get(name, 0) for name, blocks in _BLOCK_RAM.items())
    return Resources(
        lut=sum(cells.get(name, 0) for name in _LOGIC) + memory,
        ff=sum(cells.get(name, 0) for name in _FLIP_FLOPS),
        dsp=sum(cells.get(name, 0) for name in _DSP),
        bram=bram,
        uram=cells.get("URAM288", 0),
        lutram=memory,
        carry=sum(cells.get(name, 0) for name in _CARRY),
    )
