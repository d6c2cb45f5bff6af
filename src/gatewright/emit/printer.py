"""SystemVerilog of netlists: the same netlist gives the same text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from itertools import groupby
from typing import TYPE_CHECKING

from gatewright.emit.netlist import (
    Assign,
    Binary,
    Comment,
    Concat,
    Declaration,
    Instance,
    Literal,
    Lookup,
    Memory,
    Mux,
    Net,
    Ref,
    Registers,
    Replicate,
    Resized,
    Select,
    Signed,
    Unary,
    Wire,
    Zeros,
)

if TYPE_CHECKING:
    from gatewright.emit.netlist import Expression, Module, ModulePort

#: Decimal digits up to here: tools read longer ones as 32 bits.
_DECIMAL_BITS = 31

_LINE = 100

#: An instance with so many connections, such as a cast, is written on one line.
_SHORT = 2


def text_of(module: Module) -> str:
    """SystemVerilog of a module."""
    lines = [f"/// {line}" for line in module.header]
    lines += [f'(* {name} = "{value}" *)' for name, value in module.attributes.items()]
    lines += [f"module {module.name} (", *_ports(module.ports), ");"]
    for item, before in zip(module.items, [None, *module.items], strict=False):
        text = _item(item)
        if text[0] and isinstance(before, Instance) and len(before.connections) > _SHORT:
            lines.append("")
        lines += ["" if not line else f"  {line}" for line in text]
    return "\n".join([*lines, f"endmodule : {module.name}", ""])


def _ports(ports: tuple[ModulePort, ...]) -> Iterable[str]:
    for unread, group in groupby(enumerate(ports, 1), lambda pair: pair[1].net.unread):
        lines = []
        for number, port in group:
            if port.group:
                lines.append(f"// {port.group}")
            direction = f"{port.direction:<6}"
            comma = "," if number < len(ports) else ""
            lines.append(f"{direction} {_declared('logic', port.net)}{comma}{_note(port.net)}")
        yield from (f"  {line}" for line in _waived(lines, unread))


def _waived(lines: list[str], unread: str) -> list[str]:
    """Lines in which unread bits are intended."""
    if not unread:
        return lines
    return [
        f"/* verilator lint_off UNUSEDSIGNAL */  // {unread}",
        *lines,
        "/* verilator lint_on UNUSEDSIGNAL */",
    ]


def _note(net: Net) -> str:
    return f"  // {net.comment}" if net.comment else ""


def _declared(kind: str, net: Net) -> str:
    signed = " signed" if net.signed else ""
    bits = "" if net.width is None else f" [{net.width - 1}:0]"
    return f"{kind}{signed}{bits} {net.name}"


# Items


@singledispatch
def _item(item: object) -> list[str]:
    raise AssertionError(item)


@_item.register
def _(item: Comment) -> list[str]:
    return [*([""] if item.apart else []), f"// {item.text}"]


@_item.register
def _(item: Declaration) -> list[str]:
    plain = [net for net in item.nets if net.width is None and not net.unread]
    lines = [f"logic {', '.join(net.name for net in plain)};"] if plain else []
    for net in item.nets:
        if net not in plain:
            lines += _waived([f"{_declared('logic', net)};{_note(net)}"], net.unread)
    return lines


@_item.register
def _(item: Wire) -> list[str]:
    text = f"{_declared('wire', item.net)} = {expression(item.value)};{_note(item.net)}"
    return _waived([text], item.net.unread)


@_item.register
def _(item: Assign) -> list[str]:
    note = f"  // {item.comment}" if item.comment else ""
    return [f"assign {expression(item.target)} = {expression(item.value)};{note}"]


@_item.register
def _(item: Registers) -> list[str]:
    moves = [f"{expression(target)} <= {expression(value)};" for target, value in item.moves]
    enable = f"if ({item.enable.name})" if item.enable else ""
    if item.reset:
        cleared = " ".join(f"{expression(target)} <= '0;" for target, _ in item.moves)
        inside = [f"if (rst) {cleared}", " ".join(filter(None, ["else", enable, *moves]))]
        assert len(moves) == 1
    elif enable:
        inside = [f"{enable} begin", *(f"  {move}" for move in moves), "end"]
    else:
        inside = moves
    return ["always_ff @(posedge clk) begin", *(f"  {line}" for line in inside), "end"]


@_item.register
def _(item: Lookup) -> list[str]:
    *entries, (_, default) = item.entries
    cases = [(expression(key), value) for key, value in entries] + [("default", default)]
    return [
        *_item(Declaration((item.net,))),
        "always_comb begin",
        f"  unique case ({item.key.name})",
        *(f"    {key}: {item.net.name} = {expression(value)};" for key, value in cases),
        "  endcase",
        "end",
    ]


@_item.register
def _(item: Memory) -> list[str]:
    digits = -(-item.width // 4)
    name = item.name
    return [
        f'(* rom_style = "{item.style}" *)',
        f"logic [{item.width - 1}:0] {name} [{len(item.words)}];",
        "initial begin",
        *(f"  {name}[{i}] = {item.width}'h{w:0{digits}x};" for i, w in enumerate(item.words)),
        "end",
        "",
        "always_ff @(posedge clk) begin",
        f"  if ({item.enable.name}) {item.data.name} <= {name}[{item.address.name}];",
        "end",
    ]


@_item.register
def _(item: Instance) -> list[str]:
    values = [f".{name}({value})" for name, value in item.parameters.items()]
    parameters = f" #({', '.join(values)})" if values else ""
    connections = {port: _connection(port, item) for port in item.connections}
    start = f"{item.module}{parameters} {item.name} ("
    if len(connections) <= _SHORT:
        return [f"{start}{', '.join(connections.values())});"]
    head = [start]
    if len(start) > _LINE:
        head = [f"{item.module} #(", *_listed(values), f") {item.name} ("]
    body = []
    for _, ports in groupby(connections, _group):
        group = [connections[port] for port in ports]
        line = ", ".join(group)
        body += [line] if len(line) < _LINE else group
    return [*head, *_listed(body), ");"]


def _listed(parts: list[str]) -> list[str]:
    """Parts on lines of their own, a comma after each but the last."""
    return [f"  {part}{',' if n < len(parts) else ''}" for n, part in enumerate(parts, 1)]


def _group(port: str) -> str:
    """What the ports of a line have in common: the stream, or that they are the clock's."""
    return "clk" if port in ("clk", "rst") else port.rpartition("_")[0]


def _connection(port: str, item: Instance) -> str:
    value = item.connections[port]
    return f".{port}" if value == Ref(port) else f".{port}({expression(value)})"


# Expressions


def expression(value: Expression) -> str:
    """SystemVerilog of an expression."""
    match value:
        case Ref(name):
            return name
        case Select(of, high, low):
            return f"{of.name}[{high}:{low}]" if high > low else f"{of.name}[{low}]"
        case Literal():
            return _literal(value)
        case Zeros(width):
            return f"{width}'b0"
        case Concat(parts):
            return f"{{{', '.join(map(expression, parts))}}}"
        case Replicate(count, of):
            return f"{{{count}{{{expression(of)}}}}}"
        case Signed(of):
            return f"$signed({expression(of)})"
        case Resized(width, of):
            return f"{width}'({expression(of)})"
        case Unary(operator, of):
            # Yosys takes -8'(x) for a cast to -8 bits.
            plain = not isinstance(of, Resized | Unary | Binary)
            return f"{operator}{expression(of)}" if plain else f"{operator}({expression(of)})"
        case Binary(operator, left, right):
            return f"{_left(operator, left)} {operator} {_right(right)}"
        case Mux(condition, true, false):
            return f"{expression(condition)} ? {expression(true)} : {expression(false)}"


def _left(operator: str, operand: Expression) -> str:
    text = expression(operand)
    if not isinstance(operand, Binary):
        return text
    chained = {operand.operator, operator} <= {"+", "-"} or operand.operator == operator == "&"
    return text if chained else f"({text})"


def _right(operand: Expression) -> str:
    text = expression(operand)
    return f"({text})" if isinstance(operand, Unary | Binary) else text


def _literal(literal: Literal) -> str:
    width, bits = literal.width, literal.value & ((1 << literal.width) - 1)
    sign = "s" if literal.signed else ""
    return f"{width}'{sign}d{bits}" if width <= _DECIMAL_BITS else f"{width}'{sign}h{bits:x}"
