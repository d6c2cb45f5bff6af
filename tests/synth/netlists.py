"""Mapped netlists in simulation: Yosys' models of the primitives, our own where it has none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.simulate import STALLS, simulate
from gatewright.synth import export_netlist

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gatewright.rtl.manifest import RtlProject
    from gatewright.synth.mapper import Mapper
    from gatewright.targets import Target

# Ports of a block RAM that our model has, by family: 7 series, then UltraScale+.
_PORTS = {
    "E1": ("DOADO", "DOPADOP", "DIADI", "DIPADIP", "DOBDO", "DOPBDOP", "DIBDI", "DIPBDIP"),
    "E2": (
        "DOUTADOUT", "DOUTPADOUTP", "DINADIN", "DINPADINP",
        "DOUTBDOUT", "DOUTPBDOUTP", "DINBDIN", "DINPBDINP",
    ),
}  # fmt: skip
_TIED = ("REGCEAREGCE", "REGCEB", "RSTREGARSTREG", "RSTREGB", "ADDRENA", "ADDRENB", "SLEEP")


def _block_ram(kilobits: int, family: str) -> str:
    """A block RAM primitive, as an instance of `block_ram`."""
    size = 2 if kilobits == 18 else 4
    lines = 32 * size
    inits = [f"INIT_{i:02X}" for i in range(lines)]
    parities = [f"INITP_{i:02X}" for i in range(lines // 8)]
    do_a, dop_a, di_a, dip_a, do_b, dop_b, di_b, dip_b = _PORTS[family]
    parameters = [f"  parameter [255:0] {name} = 0" for name in inits + parities]
    parameters += [
        f"  parameter {name} = 0"
        for name in ("DOA_REG", "DOB_REG", "INIT_A", "INIT_B", "SRVAL_A", "SRVAL_B", "RAM_MODE")
    ]
    parameters += [f'  parameter RAM_EXTENSION_{port} = "NONE"' for port in "AB"]
    parameters += [
        f"  parameter integer {way}_WIDTH_{port} = 0" for way in ("READ", "WRITE") for port in "AB"
    ]
    parameters += [f'  parameter WRITE_MODE_{port} = "WRITE_FIRST"' for port in "AB"]
    data, parity = f"[{8 * size - 1}:0]", f"[{size - 1}:0]"
    ports = [
        *(f"  input {name}" for name in _TIED),
        *(f"  input {name}" for name in ("CLKARDCLK", "ENARDEN", "RSTRAMARSTRAM")),
        *(f"  input {name}" for name in ("CLKBWRCLK", "ENBWREN", "RSTRAMB")),
        "  input [15:0] ADDRARDADDR, ADDRBWRADDR",
        f"  input {parity} WEA",
        f"  input [{2 * size - 1}:0] WEBWE",
        f"  input {data} {di_a}, {di_b}",
        f"  input {parity} {dip_a}, {dip_b}",
        f"  output {data} {do_a}, {do_b}",
        f"  output {parity} {dop_a}, {dop_b}",
    ]
    return "\n".join(
        [
            f"module RAMB{kilobits}{family} #(",
            ",\n".join(parameters),
            ") (",
            ",\n".join(ports),
            ");",
            f"  wire {data} high_a, high_b;",
            f"  wire {parity} high_parity_a, high_parity_b;",
            f"  wire {data} low_b;",
            f"  wire {parity} low_parity_b;",
            # A read of both ports' width takes the outputs of both.
            f"  localparam bit Wide = READ_WIDTH_A > {9 * size};",
            f"  assign {do_b} = Wide ? high_a : low_b;",
            f"  assign {dop_b} = Wide ? high_parity_a : low_parity_b;",
            f"  localparam bit WideWrite = WRITE_WIDTH_B > {9 * size};",
            '  if (DOA_REG != 0 || DOB_REG != 0) $error("output registers are not modelled");',
            "  block_ram #(",
            f"    .Lines({lines}), .PortBytes({size}),",
            f"    .Init({{{', '.join(reversed(inits))}}}),",
            f"    .InitParity({{{', '.join(reversed(parities))}}}),",
            "    .ReadA(READ_WIDTH_A), .ReadB(READ_WIDTH_B),",
            "    .WriteA(WRITE_WIDTH_A), .WriteB(WRITE_WIDTH_B),",
            "    .ModeA(WRITE_MODE_A), .ModeB(WRITE_MODE_B)",
            "  ) u_ram (",
            "    .clk_a(CLKARDCLK), .enable_a(ENARDEN), .reset_a(RSTRAMARSTRAM),",
            f"    .write_a({2 * size}'(WEA)), .address_a(ADDRARDADDR),",
            f"    .out_a({{high_a, {do_a}}}), .parity_out_a({{high_parity_a, {dop_a}}}),",
            "    .clk_b(CLKBWRCLK), .enable_b(ENBWREN), .reset_b(RSTRAMB),",
            "    .write_b(WEBWE), .address_b(ADDRBWRADDR),",
            "    .out_b({high_b, low_b}), .parity_out_b({high_parity_b, low_parity_b}),",
            f"    .in_a({di_a}), .parity_in_a({dip_a}),",
            # A write of both ports' width takes the inputs of both.
            f"    .in_b(WideWrite ? {{{di_b}, {di_a}}} : {16 * size}'({di_b})),",
            f"    .parity_in_b(WideWrite ? {{{dip_b}, {dip_a}}} : {2 * size}'({dip_b}))",
            "  );",
            "endmodule",
            "",
        ]
    )


def write_models(mapper: Mapper, netlist: Path, directory: Path) -> list[Path]:
    """Write models of a netlist's primitives into a directory, which exists."""
    text = "".join(_whole(file) for file in mapper.models())
    ours = [Path(__file__).parent / "blocks" / f"{mapper.room.name}.sv"]
    blocks = directory / "blocks.sv"
    blocks.write_text("".join(file.read_text() for file in ours if file.is_file()))
    if mapper.room.name == "xilinx":
        with blocks.open("a") as file:
            file.writelines(_block_ram(kilobits, each) for kilobits in (18, 36) for each in _PORTS)
    cells = directory / "cells.v"
    cells.write_text(_instantiated(text, netlist.read_text(), _modules(blocks.read_text())))
    return [cells, blocks]


_MODULE = re.compile(r"^[ \t]*(?:\(\*[^*]*\*\)\s*)*module\s+(\w+).*?\bendmodule\b", re.M | re.S)
# Yosys' models are of one device at a time.
_DEVICES = "`define cyclonev\n`define ICE40_HX\n"


def _modules(text: str) -> dict[str, str]:
    """Text of each module, by name."""
    return {match[1]: match[0] for match in _MODULE.finditer(text)}


def _instantiated(models: str, netlist: str, known: Container[str]) -> str:
    """The models without those that a netlist doesn't need, or that are known already."""
    modules = _modules(models)
    used: set[str] = set()
    pending = [netlist]
    while pending:
        for name in re.findall(r"\w+", pending.pop()):
            if name in modules and name not in known and name not in used:
                used.add(name)
                pending.append(modules[name])
    text = _MODULE.sub(lambda found: found[0] * (found[1] in used), models)
    return _DEVICES + re.sub(r"\bspecify\b.*?\bendspecify\b", "", text, flags=re.S)


def _whole(models: Path) -> str:
    """A file with the text of those that it includes."""
    return re.sub(
        r'^`include "(\w+\.vh)"$',
        lambda found: _whole(models.parent / found[1]),
        models.read_text(),
        flags=re.M,
    )


def map_project(project: RtlProject, target: Target, directory: Path) -> RtlProject:
    """The same project as a mapped netlist; `directory` exists."""
    files = [project.directory / file for file in project.files]
    netlist, _ = export_netlist(files, project.top, target, directory)
    names = tuple(
        file.name for file in (*write_models(target.family.mapper, netlist, directory), netlist)
    )
    return replace(project, directory=directory, files=names)


def run_netlist(
    mapped: RtlProject, inputs: Sequence[NDArray[np.int64]], directory: Path
) -> list[NDArray[np.int64]]:
    """Outputs of a mapped netlist, the same at full rate, under stalls and after resets."""
    result = simulate(
        mapped, inputs, directory, stalls=STALLS, resets=4, driver_vectors=0, budget=20_000
    )
    return result.outputs


def cells(mapped: RtlProject) -> dict[str, int]:
    """How many instances of each primitive a mapped netlist has."""
    found = re.findall(r"^  ([A-Z][A-Z0-9_]*) ", (mapped.directory / "netlist.v").read_text(), re.M)
    return {name: found.count(name) for name in set(found)}
