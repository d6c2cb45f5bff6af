"""gw_upsample against numpy.repeat, and against its timing, clock cycle by clock cycle."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from transfers import Record, Unit, check, images, lint, rtl

FILES = rtl("gw_line_buffer", "gw_upsample")


@dataclass(frozen=True)
class Upsample:
    image: tuple[int, int]
    factor: tuple[int, int]
    style: str = "auto"
    bits: int = 6

    @property
    def parameters(self) -> dict[str, object]:
        return {
            "Bits": self.bits,
            "Height": self.image[0],
            "Width": self.image[1],
            "FactorHeight": self.factor[0],
            "FactorWidth": self.factor[1],
            "RamStyle": f'"{self.style}"',
        }

    def unit(self, count: int) -> Unit:
        x = images(count, *self.image, self.bits, seed=count)

        def repeat(x: np.ndarray) -> list[int]:
            rows = x.repeat(self.factor[0], axis=1)
            return [*rows.repeat(self.factor[1], axis=2).reshape(-1).tolist()]

        shown = repeat(np.arange(x.size).reshape(x.shape))

        def timing(record: Record) -> tuple[list[int], list[list[int]]]:
            pixels, out = record.inputs[0], record.output
            loaded = []
            taken: list[int] = []
            for beat, pixel in enumerate(shown):
                load = out.taken[beat - 1] if beat else 0
                if pixel == len(taken):  # its first copy
                    load = max(load, pixels.offered[pixel])
                    taken.append(load)
                loaded.append(load)
            return [load + 1 for load in loaded], [taken]

        return Unit(
            "gw_upsample",
            self.parameters,
            self.bits,
            self.bits,
            (x.reshape(-1),),
            [*repeat(x)],
            count,
            len(shown) // count,
            timing,
        )


UPSAMPLES = (
    Upsample((3, 5), (2, 2)),
    Upsample((3, 5), (2, 2), "block"),
    Upsample((3, 5), (2, 2), "distributed", bits=33),
    Upsample((3, 5), (3, 1), "registers"),
    Upsample((3, 5), (3, 1), "block"),
    Upsample((2, 5), (1, 4)),
    Upsample((4, 3), (1, 1)),
    Upsample((1, 7), (1, 3)),
    Upsample((1, 1), (1, 1)),
    Upsample((1, 1), (3, 2), "block"),
    Upsample((4, 1), (2, 3), "block"),
    Upsample((4, 2), (4, 1), "block", bits=1),
)


def test_upsamples(tmp_path: Path) -> None:
    check([upsample.unit(4) for upsample in UPSAMPLES], FILES, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_upsamples(reader: str | None, tmp_path: Path) -> None:
    rng = random.Random(5)
    styles = ["auto", "block", "distributed", "registers"]
    units = [
        Upsample(
            (rng.randint(1, 5), rng.randint(1, 9)),
            (rng.randint(1, 4), rng.randint(1, 4)),
            rng.choice(styles),
        ).unit(3)
        for _ in range(60)
    ]
    check(units, FILES, tmp_path, reader=reader)


def test_lint(tmp_path: Path) -> None:
    for upsample in UPSAMPLES:
        assert not lint(FILES, "gw_upsample", upsample.parameters, tmp_path), upsample


def test_no_factor_is_an_error(tmp_path: Path) -> None:
    message = lint(FILES, "gw_upsample", {"FactorWidth": 0}, tmp_path)
    assert "factors are at least 1" in message
