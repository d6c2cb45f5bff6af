"""gw_cast against the cast in Python: many instances in one simulation, one shared input bus.

The wide case simulates beside the source the netlists that Yosys makes of it, through either of its
readers.
"""

from __future__ import annotations

import json
import random
import subprocess
from itertools import product
from pathlib import Path

import pytest
from tools import build_bench, verilator, yosys

from gatewright.fixed import FixedType, Overflow, Rounding, cast_int
from gatewright.system.package_data import data_dir

CAST = data_dir("rtl") / "gw_cast.sv"
BUS = 72
"""Width of the bus that all instances take their input from."""
Pair = tuple[FixedType, FixedType]


def pairs(rng: random.Random, per_mode: int, widths: tuple[int, int]) -> list[Pair]:
    """Random types for each rounding, overflow and signedness; shifts beyond both widths too."""
    result = []
    for rounding, overflow, signed, source_signed in product(Rounding, Overflow, *[[1, 0]] * 2):
        for _ in range(per_mode):
            source_width, width = (rng.randint(1, limit) for limit in widths)
            shift = rng.randint(-width - 2, source_width + 2)
            frac = rng.randint(-3, width + 3)
            result.append(
                (
                    FixedType(source_width, source_width - frac - shift, bool(source_signed)),
                    FixedType(width, width - frac, bool(signed), rounding, overflow),
                )
            )
    return result


def casts(instances: list[Pair], bus: int) -> str:
    """A module `casts` in which each instance casts the low bits of the input bus."""
    total = sum(to.width for _, to in instances)
    lines = [
        "module casts (",
        f"  input logic [{bus - 1}:0] x,",
        f"  output logic [{total - 1}:0] y",
        ");",
    ]
    low = 0
    for number, (source, to) in enumerate(instances):
        parameters = {
            "InWidth": source.width,
            "InFrac": source.frac,
            "InSigned": f"1'b{source.signed:d}",
            "OutWidth": to.width,
            "OutFrac": to.frac,
            "OutSigned": f"1'b{to.signed:d}",
            "Rounding": to.rounding.code,
            "Overflow": to.overflow.code,
        }
        values = ", ".join(f".{name}({value})" for name, value in parameters.items())
        ports = f".in(x[{source.width - 1}:0]), .out(y[{low + to.width - 1}:{low}])"
        lines.append(f"  gw_cast #({values}) u_cast_{number} ({ports});")
        low += to.width
    return "\n".join([*lines, "endmodule", ""])


def bench(modules: list[str], bus: int, total: int, vectors: int) -> str:
    """A bench that applies stimuli.hex, one a clock, and prints each module's output bus."""
    instances = "".join(
        f"  {name} u_{name} (.x, .y(y[{number}]));\n" for number, name in enumerate(modules)
    )
    return f"""
module bench (input logic clk);
  logic [{bus - 1}:0] stimuli[{vectors}];
  logic [{bus - 1}:0] x;
  logic [{total - 1}:0] y[{len(modules)}];
  int i = 0;
{instances}
  initial $readmemh("stimuli.hex", stimuli);
  always_ff @(posedge clk) begin
    if (i > 0) for (int m = 0; m < {len(modules)}; m++) $display("y=%h", y[m]);
    if (i == {vectors}) $finish;
    else x <= stimuli[i];
    i <= i + 1;
  end
endmodule
"""


READERS = {
    "read_verilog": "read_verilog -sv rtl.sv {cast}",
    "read_slang": "read_slang rtl.sv {cast} --top casts",
}


def check(instances: list[Pair], stimuli: list[int], directory: Path, readers: list[str]) -> None:
    """Compare each instance, and its netlists, with `cast_int` for all values of the input bus."""
    total = sum(to.width for _, to in instances)
    modules = ["casts", *readers]
    (directory / "rtl.sv").write_text(casts(instances, BUS))
    (directory / "bench.sv").write_text(bench(modules, BUS, total, len(stimuli)))
    (directory / "stimuli.hex").write_text("".join(f"{x:x}\n" for x in stimuli))
    for reader in readers:
        yosys(
            [
                READERS[reader].format(cast=CAST),
                "synth -flatten -noabc -top casts",
                f"rename casts {reader}",
                f"write_verilog -noattr {reader}.v",
            ],
            directory,
        )
    binary = build_bench(
        directory, "-Wno-fatal", "-Wno-lint",
        "--preproc-token-limit", "10000000",  # a netlist assigns its wide output in one line
        "rtl.sv", str(CAST), *(f"{reader}.v" for reader in readers),
    )  # fmt: skip
    run = subprocess.run([binary], cwd=directory, capture_output=True, text=True, check=True)
    results = [int(line[2:], 16) for line in run.stdout.splitlines() if line.startswith("y=")]
    assert len(results) == len(stimuli) * len(modules)

    wrong = []
    for (x, module), y in zip(product(stimuli, modules), results, strict=True):
        for source, to in instances:
            got = signed(y, to)
            y >>= to.width
            raw = signed(x, source)
            if got != (expected := cast_int(raw, source.frac, to)):
                wrong.append((module, str(source), str(to), raw, expected, got))
    assert not wrong, (
        f"{len(wrong)} differ; module, source, type, value, expected, got: {wrong[:5]}"
    )


def signed(bits: int, t: FixedType) -> int:
    bits &= (1 << t.width) - 1
    return bits - (1 << t.width) if bits > t.max else bits


def random_value(rng: random.Random, bus: int) -> int:
    """A value of random magnitude and sign, often with runs of zeros or ones below its top bits."""
    magnitude = rng.getrandbits(rng.randint(1, bus))
    if rng.random() < 0.5:
        magnitude = (magnitude >> (cut := rng.randint(0, bus))) << cut
    magnitude += rng.choice([-1, 0, 0, 0, 1])
    return rng.choice([magnitude, -magnitude]) & ((1 << bus) - 1)


def case(small: int, wide: int, values: int) -> tuple[list[Pair], list[int]]:
    """Instances of small types that see every value, and of wide ones that see random values."""
    rng = random.Random(1)
    instances = pairs(rng, small, (6, 5)) + pairs(rng, wide, (BUS, BUS))
    return instances, [*range(64), *(random_value(rng, BUS) for _ in range(values))]


def test_casts(tmp_path: Path) -> None:
    check(*case(3, 1, 150), tmp_path, [])


@pytest.mark.full
def test_many_casts_and_their_netlists(tmp_path: Path) -> None:
    check(*case(12, 4, 500), tmp_path, list(READERS))


def test_lint(tmp_path: Path) -> None:
    instances, _ = case(3, 1, 0)
    instances.append((FixedType(BUS, 0), FixedType(8, 0)))  # so that all of the bus is used
    (tmp_path / "casts.sv").write_text(casts(instances, BUS))
    linted = verilator(
        "--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", "casts", "casts.sv", str(CAST),
        cwd=tmp_path,
    )  # fmt: skip
    messages = [line for line in linted.stderr.splitlines() if line.startswith("%")]
    assert linted.returncode == 0, messages[:10]
    assert not messages


def test_unknown_mode_is_an_error(tmp_path: Path) -> None:
    linted = verilator("--lint-only", "-GRounding=7", str(CAST), cwd=tmp_path)
    assert linted.returncode != 0
    assert "Rounding is 0 to 6" in linted.stderr


@pytest.mark.parametrize("reader", READERS)
def test_wires_where_nothing_is_lost(reader: str, tmp_path: Path) -> None:
    instances = [
        (FixedType(4, 3), FixedType(9, 5, True, rounding, overflow))
        for rounding, overflow in product(Rounding, Overflow)
    ]
    instances += [
        (FixedType(4, 3, False), FixedType(width, 3, signed, Rounding.RND, overflow))
        for overflow in Overflow
        for width, signed in [(4, False), (7, False)]
    ]
    instances += [(FixedType(8, 4), FixedType(5, 2, signed)) for signed in (True, False)]
    (tmp_path / "rtl.sv").write_text(casts(instances, 8))
    yosys(
        [
            READERS[reader].format(cast=CAST),
            "synth -flatten -top casts",
            "delete t:$scopeinfo",
            "tee -q -o stat.json stat -json",
        ],
        tmp_path,
    )
    assert json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells"] == 0
