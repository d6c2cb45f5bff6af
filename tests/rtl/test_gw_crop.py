"""gw_crop against NumPy slices, and against its timing, clock cycle by clock cycle."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from transfers import Record, Unit, check, images, lint, rtl

FILES = rtl("gw_within", "gw_crop")


@dataclass(frozen=True)
class Crop:
    Height: int
    Width: int
    Top: int
    Bottom: int
    Left: int
    Right: int
    Bits: int = 6

    def inner(self, x: np.ndarray) -> list[int]:
        rows = slice(self.Top, self.Height - self.Bottom)
        cols = slice(self.Left, self.Width - self.Right)
        return [*x[:, rows, cols].reshape(-1).tolist()]

    def unit(self, count: int) -> Unit:
        x = images(count, self.Height, self.Width, self.Bits, seed=count)
        passed = self.inner(np.arange(x.size).reshape(x.shape))

        def timing(record: Record) -> tuple[list[int], list[list[int]]]:
            pixels, out = record.inputs[0], record.output
            taken = list(pixels.offered)
            for pixel, cycle in zip(passed, out.taken, strict=True):
                taken[pixel] = cycle
            return [pixels.offered[pixel] for pixel in passed], [taken]

        return Unit(
            "gw_crop",
            asdict(self),
            self.Bits,
            self.Bits,
            (x.reshape(-1),),
            [*self.inner(x)],
            count,
            self.Height * self.Width,
            timing,
        )


CROPS = (
    Crop(5, 6, 1, 1, 1, 1),
    Crop(5, 6, 0, 0, 0, 0, Bits=33),
    Crop(5, 6, 2, 0, 0, 3),
    Crop(5, 6, 0, 3, 2, 0),
    Crop(5, 6, 2, 2, 4, 1),  # one pixel is left
    Crop(1, 8, 0, 0, 2, 1),
    Crop(1, 8, 0, 0, 0, 7),
    Crop(1, 1, 0, 0, 0, 0),
    Crop(7, 1, 3, 1, 0, 0, Bits=1),
)


def test_crops(tmp_path: Path) -> None:
    check([crop.unit(5) for crop in CROPS], FILES, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_crops(reader: str | None, tmp_path: Path) -> None:
    rng = random.Random(4)

    def crop() -> Crop:
        top, bottom, left, right = (rng.randint(0, 5) for _ in "tblr")
        height, width = top + bottom + rng.randint(1, 8), left + right + rng.randint(1, 8)
        return Crop(height, width, top, bottom, left, right)

    check([crop().unit(4) for _ in range(60)], FILES, tmp_path, reader=reader)


def test_lint(tmp_path: Path) -> None:
    for crop in CROPS:
        assert not lint(FILES, "gw_crop", asdict(crop), tmp_path), crop


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    message = lint(FILES, "gw_crop", {"Height": 4, "Top": 2, "Bottom": 2}, tmp_path)
    assert "at least one pixel of the image is left" in message
