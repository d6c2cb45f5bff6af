"""gw_accumulate against sums in Python, cycle by cycle."""

from __future__ import annotations

import random
from itertools import product

import pytest
from streams import Unit, beat_of, check, elements, signed


def accumulate(lanes: int, in_width: int, width: int, steps: int, groups: int) -> Unit:
    rng = random.Random(f"{lanes} {in_width} {width} {steps} {groups}")
    bias = [[rng.getrandbits(width) for _ in range(lanes)] for _ in range(groups)]

    def add(beats: list[int], before: int) -> list[int]:
        columns = zip(*(elements(beat, lanes, in_width) for beat in beats), strict=True)
        sums = [
            start + sum(signed(value, in_width) for value in column)
            for start, column in zip(bias[before % groups], columns, strict=True)
        ]
        return [beat_of(sums, width)]

    flat = beat_of([word for group in bias for word in group], width)
    return Unit(
        module="gw_accumulate",
        parameters={
            "Lanes": lanes, "InWidth": in_width, "Width": width, "Steps": steps, "Groups": groups,
            "Bias": f"{groups * lanes * width}'h{flat:x}",
        },
        in_width=lanes * in_width,
        out_width=lanes * width,
        function=add,
        beats_in=steps,
    )  # fmt: skip


SMALL = [
    accumulate(1, 8, 16, 2, 1), accumulate(3, 8, 12, 5, 1), accumulate(4, 6, 6, 1, 1),
    accumulate(2, 16, 9, 4, 1), accumulate(1, 1, 1, 3, 1), accumulate(3, 5, 11, 7, 4),
    accumulate(2, 9, 9, 1, 3), accumulate(5, 4, 8, 3, 2), accumulate(1, 40, 70, 8, 5),
]  # fmt: skip


def test_sums(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_sums(tmp_path, reader):
    units = [
        accumulate(lanes, in_width, width, steps, groups)
        for lanes, (in_width, width), steps, groups in product(
            (1, 3), ((1, 5), (7, 7), (8, 3), (4, 13)), (1, 2, 6), (1, 2, 5)
        )
    ]
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)
