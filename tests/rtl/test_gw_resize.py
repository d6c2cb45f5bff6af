"""gw_resize against a regrouping of the elements, cycle by cycle."""

from __future__ import annotations

from itertools import product

import pytest
from streams import RTL, Unit, beat_of, check, elements
from tools import verilator


def resize(width: int, in_lanes: int, out_lanes: int) -> Unit:
    def regroup(beats: list[int], _: int) -> list[int]:
        flat = [value for beat in beats for value in elements(beat, in_lanes, width)]
        return [
            beat_of(flat[first : first + out_lanes], width)
            for first in range(0, len(flat), out_lanes)
        ]

    return Unit(
        module="gw_resize",
        parameters={"Width": width, "InLanes": in_lanes, "OutLanes": out_lanes},
        in_width=in_lanes * width,
        out_width=out_lanes * width,
        function=regroup,
        beats_in=max(1, out_lanes // in_lanes),
        beats_out=max(1, in_lanes // out_lanes),
        depth=0 if in_lanes == out_lanes else 1,
    )


SMALL = [
    resize(3, 4, 4), resize(1, 2, 1), resize(5, 6, 2), resize(9, 7, 1), resize(4, 12, 3),
    resize(1, 1, 2), resize(5, 2, 6), resize(9, 1, 7), resize(4, 3, 12), resize(8, 8, 16),
]  # fmt: skip


def test_resizing(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_sizes(tmp_path, reader):
    units = []
    for narrow, ratio, width in product((1, 2, 5), (2, 3, 4, 8), (1, 6)):
        units.append(resize(width, narrow * ratio, narrow))
        units.append(resize(width, narrow, narrow * ratio))
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)


def test_other_ratios_are_an_error(tmp_path):
    linted = verilator(
        "--lint-only", "-GInLanes=6", "-GOutLanes=4", str(RTL / "gw_resize.sv"), cwd=tmp_path
    )
    assert linted.returncode != 0
    assert "is a multiple of the other" in linted.stderr
