"""gw_line_buffer: words come back after exactly `Depth` steps, whatever they stand in."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tools import yosys
from transfers import Record, Unit, check, lint, rtl

STYLES = ("auto", "distributed", "block", "registers")
DESIGN = Path(__file__).parent / "designs" / "line_buffer_stream.sv"


def timing(record: Record) -> tuple[list[int], list[list[int]]]:
    return record.inputs[0].offered, [record.output.taken]


def unit(depth: int, bits: int, style: str) -> Unit:
    words = np.random.default_rng(depth).integers(0, 1 << bits, 4 * depth + 5)
    return Unit(
        "line_buffer_stream",
        {"Bits": bits, "Depth": depth, "RamStyle": f'"{style}"'},
        bits,
        bits,
        (words,),
        [*[None] * depth, *words.tolist()[:-depth]],
        len(words),
        1,
        timing,
    )


def test_line_buffer(tmp_path: Path) -> None:
    units = [unit(depth, 5, style) for depth, style in product((1, 2, 3, 8, 13), STYLES)]
    units += [unit(600, 1, "auto"), unit(97, 40, "auto")]  # LUTs, block RAM
    check(units, [DESIGN, *rtl("gw_line_buffer")], tmp_path)


LUTS, BLOCK, SHIFT = r"RAM\d+[MX].*", r"RAMB\d+E2", r"SRLC?\d+E"
"""Names of the memories of UltraScale+."""


@pytest.mark.full
@pytest.mark.parametrize(
    ("style", "depth", "memory"),
    [
        ("auto", 28, LUTS),
        ("auto", 700, LUTS),
        ("auto", 2000, BLOCK),
        ("distributed", 2000, LUTS),
        ("block", 28, BLOCK),
        ("registers", 28, SHIFT),
        ("auto", 2, None),
    ],
)
def test_where_words_stand(style: str, depth: int, memory: str | None, tmp_path: Path) -> None:
    [file] = rtl("gw_line_buffer")
    yosys(
        [
            f"read_verilog -sv {file}",
            f'chparam -set Bits 8 -set Depth {depth} -set RamStyle "{style}" gw_line_buffer',
            "synth_xilinx -family xcup -noiopad -noclkbuf -flatten -top gw_line_buffer",
            "tee -q -o stat.json stat -json",
        ],
        tmp_path,
    )
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    memories = [name for name in cells if name.startswith(("RAM", "SRL"))]
    assert bool(memories) == (memory is not None)
    assert all(re.fullmatch(memory or "", name) for name in memories)


@pytest.mark.parametrize("style", STYLES)
def test_lint(style: str, tmp_path: Path) -> None:
    for depth in (1, 2, 9, 1000):
        parameters = {"Bits": 4, "Depth": depth, "RamStyle": f'"{style}"'}
        assert not lint(rtl("gw_line_buffer"), "gw_line_buffer", parameters, tmp_path)


def test_unknown_style_is_an_error(tmp_path: Path) -> None:
    messages = lint(rtl("gw_line_buffer"), "gw_line_buffer", {"RamStyle": '"ultra"'}, tmp_path)
    assert "RamStyle is auto, block, distributed or registers" in messages
