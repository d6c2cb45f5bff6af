"""gw_pad against numpy.pad, and against its timing, clock cycle by clock cycle."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from transfers import Record, Unit, check, images, lint, rtl

FILES = rtl("gw_within", "gw_pad")


@dataclass(frozen=True)
class Pad:
    Height: int
    Width: int
    Top: int
    Bottom: int
    Left: int
    Right: int
    Bits: int = 6
    fill: int = 0

    @property
    def parameters(self) -> dict[str, object]:
        sizes = {name: value for name, value in asdict(self).items() if name != "fill"}
        return {**sizes, "Fill": f"{self.Bits}'d{self.fill}"}

    def unit(self, count: int) -> Unit:
        x = images(count, self.Height, self.Width, self.Bits, seed=count)
        borders = ((0, 0), (self.Top, self.Bottom), (self.Left, self.Right))
        # The number of the pixel that each output beat shows, -1 for the fill.
        source = np.pad(np.arange(x.size).reshape(x.shape), borders, constant_values=-1)
        per_image, per_output = self.Height * self.Width, source[0].size

        def timing(record: Record) -> tuple[list[int], list[list[int]]]:
            pixels, out = record.inputs[0], record.output
            loaded = []
            for beat, pixel in enumerate(source.reshape(-1).tolist()):
                ready = out.taken[beat - 1] if beat else 0
                if pixel < 0 and beat % per_output == 0:  # an image begins with its first pixel
                    pixel = beat // per_output * per_image
                loaded.append(max(ready, pixels.offered[pixel]) if pixel >= 0 else ready)
            taken = [load for load, pixel in zip(loaded, source.flat, strict=True) if pixel >= 0]
            return [load + 1 for load in loaded], [taken]

        return Unit(
            "gw_pad",
            self.parameters,
            self.Bits,
            self.Bits,
            (x.reshape(-1),),
            [*np.pad(x, borders, constant_values=self.fill).reshape(-1).tolist()],
            count,
            per_output,
            timing,
        )


PADS = (
    Pad(4, 5, 1, 1, 1, 1),
    Pad(4, 5, 0, 0, 0, 0, Bits=33),
    Pad(4, 5, 2, 0, 0, 3, fill=0b101101),
    Pad(3, 4, 0, 1, 2, 0),
    Pad(3, 4, 5, 4, 6, 7),
    Pad(1, 6, 0, 0, 2, 1),
    Pad(1, 6, 0, 0, 0, 2),
    Pad(1, 1, 1, 1, 1, 1),
    Pad(1, 1, 0, 0, 0, 0),
    Pad(1, 1, 0, 1, 0, 0),
    Pad(5, 1, 1, 0, 0, 1, Bits=1, fill=1),
)


def test_pads(tmp_path: Path) -> None:
    check([pad.unit(5) for pad in PADS], FILES, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_pads(reader: str | None, tmp_path: Path) -> None:
    rng = random.Random(3)
    sizes = [[rng.randint(1, 9) for _ in "hw"] + [rng.randint(0, 5) for _ in "tblr"]
             for _ in range(60)]  # fmt: skip
    check([Pad(*size).unit(4) for size in sizes], FILES, tmp_path, reader=reader)


def test_lint(tmp_path: Path) -> None:
    for pad in PADS:
        assert not lint(FILES, "gw_pad", pad.parameters, tmp_path), pad


def test_empty_image_is_an_error(tmp_path: Path) -> None:
    assert "at least 1" in lint(FILES, "gw_pad", {"Height": 0}, tmp_path)
