"""gw_concat against numpy.concatenate, and against its timing, clock cycle by clock cycle."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from transfers import Record, Unit, check, lint, rtl

FILES = rtl("gw_concat")


def parameters(beats: list[int], bits: int) -> dict[str, object]:
    packed = sum(count << (32 * i) for i, count in enumerate(beats))
    return {"Bits": bits, "Inputs": len(beats), "Beats": f"{32 * len(beats)}'h{packed:x}"}


def unit(beats: list[int], bits: int, tensors: int) -> Unit:
    rng = np.random.default_rng(len(beats))
    inputs = [rng.integers(0, 1 << bits, (tensors, count)) for count in beats]
    # Which input, and which of its beats, each output beat is.
    source = [
        (port, tensor * count + beat)
        for tensor in range(tensors)
        for port, count in enumerate(beats)
        for beat in range(count)
    ]

    def timing(record: Record) -> tuple[list[int], list[list[int]]]:
        out = record.output
        offered = []
        taken: list[list[int]] = [[] for _ in beats]
        for number, (port, beat) in enumerate(source):
            turn = out.taken[number - 1] + 1 if number else 0
            offered.append(max(turn, record.inputs[port].offered[beat]))
            taken[port].append(out.taken[number])
        return offered, taken

    return Unit(
        "gw_concat",
        parameters(beats, bits),
        bits,
        bits,
        tuple(x.reshape(-1) for x in inputs),
        [*np.concatenate(inputs, axis=1).reshape(-1).tolist()],
        tensors,
        sum(beats),
        timing,
    )


CASES = (
    ([3, 5], 7),
    ([1, 1], 1),
    ([4], 5),
    ([1], 5),
    ([1, 6, 2], 33),
    ([2, 1, 1, 3], 8),
    ([5, 4, 3, 2, 1], 3),
)


def test_concats(tmp_path: Path) -> None:
    check([unit(beats, bits, 6) for beats, bits in CASES], FILES, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_concats(reader: str | None, tmp_path: Path) -> None:
    rng = random.Random(6)
    cases = [[rng.randint(1, 9) for _ in range(rng.randint(1, 6))] for _ in range(60)]
    check([unit(beats, 8, 6) for beats in cases], FILES, tmp_path, reader=reader)


def test_lint(tmp_path: Path) -> None:
    for beats, bits in CASES:
        assert not lint(FILES, "gw_concat", parameters(beats, bits), tmp_path), beats


def test_no_beats_is_an_error(tmp_path: Path) -> None:
    message = lint(FILES, "gw_concat", parameters([3, 0], 4), tmp_path)
    assert "every input has at least 1 beat" in message
