"""gw_fifo against a queue, cycle by cycle."""

from __future__ import annotations

from itertools import product

import pytest
from streams import Unit, check


def fifo(width: int, depth: int, style: str) -> Unit:
    return Unit(
        module="gw_fifo",
        parameters={"Width": width, "Depth": depth, "RamStyle": f'"{style}"'},
        in_width=width,
        out_width=width,
        function=lambda beats, _: beats,
        depth=depth,
        probe="level",
    )


SMALL = [fifo(5, depth, style) for depth in (0, 1, 2, 3) for style in ("block", "registers")] + [
    fifo(64, 16, "distributed"),
    fifo(1, 7, "block"),
    fifo(9, 8, "auto"),
    fifo(70, 120, "auto"),  # as block RAM
]


def test_fifos(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_fifos(tmp_path, reader):
    styles = ("auto", "block", "distributed", "registers")
    units = [fifo(3 + depth, depth, s) for depth, s in product((1, 2, 4, 5, 16, 33), styles)]
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)
