"""A module around a top that needs three pins, so that a device with few can hold any design.

Out of context a router would leave the paths at a design's ports out, or refuse ports without pins.
Here each input of the design is driven by a register of its own, all of them one shift register
from a pin. Each output is taken by a register of its own; those are folded into a second shift
register, whose end is a pin. So nothing of the design can be optimized away, all of its paths lie
between registers, and none of the registers' own paths has more than one gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.rtl.manifest import Port, RtlProject

#: The harness' module.
MODULE = "gw_harness"

#: The design's instance in it.
INSTANCE = "u_design"

#: How registers at the design's inputs and outputs are called: this, and the name of the port.
DRIVEN, TAKEN = "to_", "from_"


@dataclass(frozen=True)
class _Pins:
    """Bits of one port of the design.

    Attributes:
        port: its name.
        bits: those that carry something, from bit 0.
        width: all of them.
    """

    port: str
    bits: int
    width: int


def harness(project: RtlProject) -> str:
    """SystemVerilog of the harness of a project's top; its ports: clk, shift_in, shift_out.

    Bits that only pad a bus to whole bytes are left out: inputs are zero, outputs not taken.
    """
    driven, taken = [_Pins("rst", 1, 1)], []
    for port in project.inputs:
        driven += [_Pins(f"{port.prefix}_tvalid", 1, 1), _data(port)]
        driven.append(_Pins(f"{port.prefix}_tlast", 1, 1))
        taken.append(_Pins(f"{port.prefix}_tready", 1, 1))
        if port.checked:
            taken.append(_Pins(f"{port.prefix}_frame_error", 1, 1))
        if port.checked:
            taken.append(_Pins(f"{port.prefix}_frame_error", 1, 1))
    for port in project.outputs:
        driven.append(_Pins(f"{port.prefix}_tready", 1, 1))
        taken += [_Pins(f"{port.prefix}_tvalid", 1, 1), _data(port)]
        taken.append(_Pins(f"{port.prefix}_tlast", 1, 1))
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
    return _Pins(f"{port.prefix}_tdata", port.lanes * port.width, port.tdata_width)


def _driving(driven: Sequence[_Pins]) -> list[str]:
    """The shift register in front of the inputs."""
    lines = [f"  logic [{p.bits - 1}:0] {DRIVEN}{p.port};" for p in driven]
    lines.append("  always_ff @(posedge clk) begin")
    source = "shift_in"
    for pins in driven:
        register = f"{DRIVEN}{pins.port}"
        lines.append(f"    {register} <= {pins.bits}'({{{register}, {source}}});")
        source = f"{register}[{pins.bits - 1}]"
    return [*lines, "  end"]


def _taking(taken: Sequence[_Pins]) -> list[str]:
    """Registers behind the outputs, folded into one bit."""
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
