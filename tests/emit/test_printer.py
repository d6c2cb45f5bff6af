"""Printed netlists, judged by Yosys' reading of them."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gatewright.emit.netlist import (
    CLOCK,
    Assign,
    Binary,
    Concat,
    Declaration,
    Instance,
    Literal,
    Module,
    ModulePort,
    Mux,
    Net,
    Ref,
    Replicate,
    Resized,
    Select,
    Signed,
    Unary,
    Wire,
    Zeros,
    conjunction,
)
from gatewright.emit.printer import expression, text_of

_CONSTANTS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in ("read_verilog -sv m.sv", "hierarchy -top m", "proc", "opt -full", "clean",
                "write_json m.json"):
    libyosys.run_pass(command, design)
"""


class Maker:
    """Random expressions with the bits that they stand for, as an unsigned number."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.items = []
        self.values = {}

    def number(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def net(self, width, *, signed=False):
        name = f"n{len(self.values)}"
        self.values[name] = self.number(0, (1 << width) - 1)
        self.items.append(Wire(Net(name, width, signed), Literal(self.values[name], width, signed)))
        return Ref(name), self.values[name]

    def expression(self, width, depth):
        """An expression of so many bits, and its value."""
        mask = (1 << width) - 1
        if depth == 0:
            return self.leaf(width)
        kind = self.rng.choice(["resize", "extend", "concat", "unary", "binary", "bit"])
        if kind == "concat" and width > 1:
            low = self.number(1, width - 1)
            (a, x), (b, y) = self.leaf(width - low), self.leaf(low)
            return Concat((a, b)), x << low | y
        if kind == "unary":
            operator = self.rng.choice(["-", "~"])
            a, x = self.expression(width, depth - 1)
            return Unary(operator, a), (-x if operator == "-" else ~x) & mask
        if kind == "binary":
            operator = str(self.rng.choice(["+", "-", "*", "&"]))
            (a, x), (b, y) = (self.expression(width, depth - 1) for _ in range(2))
            value = {"+": x + y, "-": x - y, "*": x * y, "&": x & y}[operator]
            return Binary(operator, a, b), value & mask
        if kind == "bit" and width == 1:
            return self.bit()
        narrow = self.number(1, 12)
        a, x = self.net(narrow)
        if self.number(0, 1):
            a, x, narrow = Concat((a, Zeros(3))), x << 3, narrow + 3
        if kind == "extend":
            return Resized(width, Signed(a)), (x - (x >> (narrow - 1) << narrow)) & mask
        return Resized(width, a), x & mask

    def mux(self, width, depth):
        condition, chosen = self.net(1)
        (a, x), (b, y) = (self.expression(width, depth) for _ in range(2))
        return Mux(condition, a, b), x if chosen else y

    def bit(self):
        width = self.number(1, 9)
        operator = str(self.rng.choice(["<", "<=", ">", ">=", "==", "!=", "|"]))
        (a, x), (b, y) = (self.leaf(width) for _ in range(2))
        if operator == "|":
            return Unary("|", a), int(x != 0)
        value = {
            "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y,
        }[operator]  # fmt: skip
        return Binary(operator, a, b), int(value)

    def leaf(self, width):
        kind = self.rng.choice(["literal", "net", "select", "zeros", "replicate"])
        if kind == "net":
            return self.net(width)
        if kind == "select":
            low = self.number(0, 3)
            ref, value = self.net(width + low + self.number(0, 3))
            return Select(ref, low + width - 1, low), value >> low & ((1 << width) - 1)
        if kind == "zeros":
            return Zeros(width), 0
        if kind == "replicate":
            return Replicate(width, Literal(1, 1)), (1 << width) - 1
        value = self.number(-(1 << width), (1 << width) - 1)
        return Literal(value, width), value & ((1 << width) - 1)


def read_back(module, directory):
    """Yosys' constants of a module's outputs."""
    (directory / "m.sv").write_text(text_of(module))
    done = subprocess.run(
        [sys.executable, "-c", _CONSTANTS],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    ports = json.loads((directory / "m.json").read_text())["modules"]["m"]["ports"]
    return {name: int("".join(reversed(port["bits"])), 2) for name, port in ports.items()}


def test_expressions_mean_what_they_are(tmp_path):
    maker = Maker(0)
    ports, items, expected = [], [], {}
    for number in range(300):
        width = maker.number(1, 40)
        make = maker.mux if number % 5 == 0 else maker.expression
        value, bits = make(width, maker.number(0, 3))
        ports.append(ModulePort("output", Net(f"y{number}", width)))
        items.append(Assign(Ref(f"y{number}"), value))
        expected[f"y{number}"] = bits
    module = Module("m", (), tuple(ports), (*maker.items, *items))
    assert read_back(module, tmp_path) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Binary("-", Binary("+", Ref("a"), Ref("b")), Ref("c")), "a + b - c"),
        (Binary("-", Ref("a"), Binary("-", Ref("b"), Ref("c"))), "a - (b - c)"),
        (Binary("*", Binary("+", Ref("a"), Ref("b")), Ref("c")), "(a + b) * c"),
        (Unary("-", Resized(8, Ref("a"))), "-(8'(a))"),
        (conjunction([Ref("a"), Ref("b"), Ref("c")]), "a & b & c"),
        (Literal(-1, 31, signed=True), "31'sd2147483647"),
        (Literal(-1, 32, signed=True), "32'shffffffff"),
        (Select(Ref("a"), 3, 3), "a[3]"),
    ],
)
def test_text_is_short(value, text):
    assert expression(value) == text


def test_an_instance_is_written_by_the_stream():
    connections = CLOCK | {f"in_{s}": Ref(f"x_{s}") for s in ("valid", "ready", "data")}
    instance = Instance("gw_fifo", "u_fifo", connections, {"Width": 8, "Depth": 4})
    nets = (Net("x_valid"), Net("x_ready"), Net("x_data", 8, comment="a beat"))
    text = text_of(Module("m", ("About.",), (), (Declaration(nets), instance)))
    assert text == (
        "/// About.\n"
        "module m (\n"
        ");\n"
        "  logic x_valid, x_ready;\n"
        "  logic [7:0] x_data;  // a beat\n"
        "  gw_fifo #(.Width(8), .Depth(4)) u_fifo (\n"
        "    .clk, .rst,\n"
        "    .in_valid(x_valid), .in_ready(x_ready), .in_data(x_data)\n"
        "  );\n"
        "endmodule : m\n"
    )
