"""The map of sums onto carry chains: proved by SAT, and as small as it claims to be."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

PROVE = Path(__file__).parent / "prove.py"


def prove(directory: Path, **job: object) -> str:
    """Run `prove.py`; returns the line that says PROVED, or what went wrong."""
    (directory / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, str(PROVE), "job.json"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    proved = [line for line in lines if line.startswith("PROVED")]
    return proved[0] if proved and done.returncode == 0 else "\n".join(lines[-8:])


def operand(rng: random.Random, name: str, shift: int, signed: bool) -> tuple[str, str]:
    """A port's declaration and its term in a sum."""
    port = f"input {'signed ' if signed else ''}[{rng.randint(1, 6) - 1}:0] {name}"
    padding = f", {shift}'b0" if shift else ""
    zero = "" if signed else "1'b0, "
    return port, f"$signed({{{zero}{name}{padding}}})"


def module(rng: random.Random, name: str, negated: tuple[bool, ...]) -> str:
    """A module that sums random operands; a third of them shifted, some of them constants."""
    ports, line = [], ""
    for i, minus in enumerate(negated):
        port, term = operand(rng, f"x{i}", rng.choice([0, 0, 0, 1, 3]), rng.random() < 0.6)
        if rng.random() < 0.1 and ports:
            term = f"7'sd{rng.randint(0, 40)}"
        else:
            ports.append(port)
        line += f"{' - ' if minus else ' + ' if i else ''}{term}"
    width = rng.choice([5, 7, 8, 9, 10])
    ports.append(f"output signed [{width - 1}:0] y")
    return f"module {name}({', '.join(ports)});\n  assign y = {line};\nendmodule\n"


def designs(seed: int, repeats: int) -> tuple[str, list[str]]:
    """Sums of one to four operands under all signs."""
    rng = random.Random(seed)
    signs = [negated for n in (1, 2, 3, 4) for negated in product((False, True), repeat=n)]
    names = [f"m{i}" for i in range(len(signs) * repeats)]
    modules = zip(names, signs * repeats, strict=True)
    return "".join(module(rng, name, negated) for name, negated in modules), names


def row(rng: random.Random, name: str) -> str:
    """A module that sums short numbers beside each other, at most three in a column.

    Either all operands are signed, or the sum is modulo a power of two, to which they are extended.
    """
    ports, terms = [], []
    width = rng.choice([6, 9, 12])
    for lane in range(3):
        end = rng.randint(0, 2)
        while end < width - 1:
            bits = rng.randint(1, 5)
            signed = rng.random() < 0.5
            port = f"x{lane}_{end}"
            ports.append(f"input {'signed ' if signed else ''}[{bits - 1}:0] {port}")
            word = f"{{{port}, {end}'b0}}" if end else port
            term = f"{width}'({'$signed' if signed and end else ''}({word}))"
            terms.append((rng.random() < 0.4, term))
            end += bits + rng.choice([0, 0, 1])
    terms.append((False, f"{width}'d{rng.randrange(1 << width)}"))
    line = "".join(f"{' - ' if minus else ' + '}{term}" for minus, term in terms)
    ports.append(f"output [{width - 1}:0] y")
    return f"module {name}({', '.join(ports)});\n  assign y = {line[3:]};\nendmodule\n"


def test_random_rows_are_exact(tmp_path):
    rng = random.Random(3)
    names = [f"m{i}" for i in range(40)]
    (tmp_path / "rows.sv").write_text("".join(row(rng, name) for name in names))
    result = prove(tmp_path, kind="adders", source="rows.sv", modules=names, chains=False)
    assert result.startswith(f"PROVED {len(names)} "), result


def check_random(directory: Path, seed: int, repeats: int, *, chains: bool = False) -> None:
    text, names = designs(seed, repeats)
    (directory / "sums.sv").write_text(text)
    result = prove(directory, kind="adders", source="sums.sv", modules=names, chains=chains)
    assert result.startswith(f"PROVED {len(names)} "), result
    mapped = int(result.split()[-1])
    assert mapped > len(names) // 2


def test_random_sums_are_exact(tmp_path):
    check_random(tmp_path, 1, 2)


def test_random_sums_on_chains_of_two_operands_are_exact(tmp_path):
    check_random(tmp_path, 1, 1, chains=True)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_random_sums_are_exact(tmp_path, seed):
    check_random(tmp_path, seed, 10)


def test_a_wrong_map_is_found(tmp_path):
    """The judge can say no: the netlist of another sum."""
    (tmp_path / "a.sv").write_text(
        "module a(input clk, input [3:0] x, y, output reg [4:0] q);"
        " always @(posedge clk) q <= x + y; endmodule"
    )
    (tmp_path / "b.v").write_text(
        "module a(input clk, input [3:0] x, y, output reg [4:0] q);"
        " always @(posedge clk) q <= x + y + (x == 9 && y == 7); endmodule"
    )
    assert (
        prove(tmp_path, kind="netlist", source="a.sv", top="a", netlist="a.sv", steps=2) == "PROVED"
    )
    assert "ERROR" in prove(
        tmp_path, kind="netlist", source="a.sv", top="a", netlist="b.v", steps=2
    )


def cells(directory: Path, expression: str, width: int) -> dict[str, int]:
    """Cells that a line over 8-bit signed a, b, c and 4-bit unsigned d maps to."""
    (directory / "m.sv").write_text(
        "module m(input signed [7:0] a, b, c, input [3:0] d, output signed"
        f" [{width - 1}:0] y);\n assign y = {expression};\nendmodule\n"
    )
    script = (
        "import json,sys\nfrom pyosys import libyosys as y\n"
        "y.run_pass('read_verilog -sv m.sv; proc; opt_expr; opt_clean; write_json m.json')\n"
        "from gatewright.synth.xilinx.adders import map_adders\n"
        "n=json.load(open('m.json')); map_adders(n); json.dump(n, open('m.json','w'))\n"
        "y.run_pass('design -reset; read_json m.json; opt_clean; tee -o s.json stat -json')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=directory, check=True, capture_output=True)
    statistics = json.loads((directory / "s.json").read_text())
    return statistics["modules"]["\\m"]["num_cells_by_type"]


@pytest.mark.parametrize(
    ("expression", "width", "luts"),
    [
        ("a + b", 9, 8),  # a LUT per bit; the ninth is the carry
        ("a - b", 9, 8),
        ("a + b + c", 10, 9),  # three operands for the price of two
        ("a - b + c", 10, 9),
        ("a - b - c", 10, 9),
        ("a + b + 10'sd37", 10, 9),
        ("a + $signed({b, 4'b0})", 13, 8),  # four bits are wires
        ("a - $signed({b, 4'b0})", 13, 8),
        ("a + $signed({1'b0, d, 8'b0})", 13, 4),
        ("9'(d) + 9'(d) + {d, 5'b0} - 9'(a[2:0]) + {a[7:5], 4'b0} + 9'd7", 9, 9),  # a single row
    ],
)
def test_a_sum_costs_a_lut_per_bit(tmp_path, expression, width, luts):
    found = cells(tmp_path, expression, width)
    assert sum(found.get(kind, 0) for kind in ("$lut", "LUT6_2")) <= luts
    assert not {"$add", "$sub", "$neg"} & set(found)
