"""A harness around a design that needs only three pins, so that it fits any device's package.

If a design is routed out of context, a router ignores the paths at its ports, or refuses ports
without pins. In the harness, a register drives each input bit; these registers form one shift
register from a pin. Another register takes each output bit; these are XORed into a second shift
register, whose end is a pin. So no part of the design can be optimized away, all of its paths are
between registers, and paths of the harness itself have at most one gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.rtl.manifest import Port, RtlProject

#: Name of the harness' module.
MODULE = "gw_harness"

#: Name of the design's instance in it.
INSTANCE = "u_design"

#: Prefixes, before the name of the port, of registers at the design's inputs and outputs.
DRIVEN, TAKEN = "to_", "from_"


@dataclass(frozen=True)
class _Pins:
    """Bits of one port of the design.

    Attributes:
        port: name of the port.
        bits: number of bits with data, from bit 0.
        width: number of all bits, including padding.
    """

    port: str
    bits: int
    width: int


def harness(project: RtlProject) -> str:
    """SystemVerilog of the harness of a project's top, with ports clk, shift_in and shift_out.

    Bits that only pad a bus to whole bytes have no registers: inputs are zero, outputs are ignored.
    """
    driven, taken = [_Pins("rst", 1, 1)], []
    for port in project.inputs:
        driven += [_Pins(f"{port.prefix}_tvalid", 1, 1), _data(port)]
        driven.append(_Pins(f"{port.prefix}_tlast", 1, 1))
        taken.append(_Pins(f"{port.prefix}_tready", 1, 1))
        if port.checked:
            taken.append(_Pins(f"{port.prefix}_frame_error", 1, 1))
    for port in project.outputs:
        driven.append(_Pins(f"{port.prefix}_tready", 1, 1))
        taken += [_Pins(f"{port.prefix}_tvalid", 1, 1), _data(port)]
        taken.append(_Pins(f"{port.prefix}_tlast", 1, 1))
        if port.keep:
            taken.append(_Pins(f"{port.prefix}_tkeep", port.keep_bits, port.keep_bits))
    lines = [
        f"/// {project.top} behind three pins: a register for each bit of its ports.",
        f"module {MODULE} (",
        "  input  logic clk,",
        "  input  logic shift_in,",
        "  output logic shift_out",
        ");",
        *_driving(driven),
        *_taking(taken),
        f"  {project.top} {INSTANCE} (",
        "    .clk(clk),",
        *_connections(driven, taken),
        "  );",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _data(port: Port) -> _Pins:
    return _Pins(f"{port.prefix}_tdata", port.data_bits, port.tdata_width)


def _driving(driven: Sequence[_Pins]) -> list[str]:
    """The shift register that drives the inputs."""
    lines = [f"  logic [{p.bits - 1}:0] {DRIVEN}{p.port};" for p in driven]
    lines.append("  always_ff @(posedge clk) begin")
    source = "shift_in"
    for pins in driven:
        register = f"{DRIVEN}{pins.port}"
        lines.append(f"    {register} <= {pins.bits}'({{{register}, {source}}});")
        source = f"{register}[{pins.bits - 1}]"
    return [*lines, "  end"]


def _taking(taken: Sequence[_Pins]) -> list[str]:
    """Registers that take the outputs, XORed into a shift register."""
    total = sum(pins.bits for pins in taken)
    lines = []
    for pins in taken:
        lines.append(f"  wire [{pins.width - 1}:0] {pins.port};")
        lines.append(f"  logic [{pins.bits - 1}:0] {TAKEN}{pins.port};")
    registers = ", ".join(f"{TAKEN}{pins.port}" for pins in taken)
    lines += [f"  logic [{total - 1}:0] folded;", "  always_ff @(posedge clk) begin"]
    lines += [f"    {TAKEN}{pins.port} <= {pins.port}[{pins.bits - 1}:0];" for pins in taken]
    lines.append(f"    folded <= {total}'({{folded, 1'b0}}) ^ {{{registers}}};")
    return [*lines, "  end", f"  assign shift_out = folded[{total - 1}];"]


def _connections(driven: Sequence[_Pins], taken: Sequence[_Pins]) -> list[str]:
    made = []
    for pins in driven:
        value = f"{DRIVEN}{pins.port}"
        padding = pins.width - pins.bits
        made.append(f".{pins.port}({f'{{{padding}{chr(39)}b0, {value}}}' if padding else value})")
    made += [f".{pins.port}({pins.port})" for pins in taken]
    return [f"    {each}{',' if number < len(made) else ''}" for number, each in enumerate(made, 1)]
