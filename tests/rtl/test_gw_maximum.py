"""gw_maximum against maxima in Python, cycle by cycle."""

from __future__ import annotations

from itertools import product

import pytest
from streams import Unit, beat_of, check, elements, signed


def maximum(lanes: int, width: int, is_signed: bool, steps: int) -> Unit:
    def greatest(beats: list[int], _: int) -> list[int]:
        columns = zip(*(elements(beat, lanes, width) for beat in beats), strict=True)
        if is_signed:
            columns = ([signed(value, width) for value in column] for column in columns)
        return [beat_of([max(column) for column in columns], width)]

    return Unit(
        module="gw_maximum",
        parameters={
            "Lanes": lanes, "Width": width, "Signed": f"1'b{is_signed:d}", "Steps": steps,
        },
        in_width=lanes * width,
        out_width=lanes * width,
        function=greatest,
        beats_in=steps,
    )  # fmt: skip


SMALL = [
    maximum(lanes, width, is_signed, steps)
    for (lanes, width, steps), is_signed in product(
        ((1, 8, 2), (3, 6, 4), (4, 1, 3), (2, 17, 1), (5, 4, 9)), (True, False)
    )
]


def test_maxima(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_maxima(tmp_path, reader):
    units = [
        maximum(lanes, width, is_signed, steps)
        for lanes, width, is_signed, steps in product(
            (1, 3), (1, 2, 7, 32), (True, False), (1, 2, 6)
        )
    ]
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)
