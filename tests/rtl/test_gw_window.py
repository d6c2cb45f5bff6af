"""gw_window against NumPy's sliding windows, and against its timing, clock cycle by clock cycle."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from transfers import Record, Unit, check, images, lint, packed, rtl

FILES = rtl("gw_line_buffer", "gw_window")
Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    image: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    style: str = "auto"
    bits: int = 5

    @property
    def parameters(self) -> dict[str, object]:
        pairs = {"Kernel": self.kernel, "Stride": self.stride, "Dilation": self.dilation}
        return {
            "Bits": self.bits,
            "Height": self.image[0],
            "Width": self.image[1],
            **{f"{name}Height": pair[0] for name, pair in pairs.items()},
            **{f"{name}Width": pair[1] for name, pair in pairs.items()},
            "RamStyle": f'"{self.style}"',
        }

    def unit(self, count: int) -> Unit:
        x = images(count, *self.image, self.bits, seed=count)
        span = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]

        def windows(x: np.ndarray) -> np.ndarray:
            """Shape (count * windows per image, kernel height * kernel width)."""
            spans = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
            spans = spans[:, :: self.stride[0], :: self.stride[1]]
            taps = spans[..., :: self.dilation[0], :: self.dilation[1]]
            return taps.reshape(-1, self.kernel[0] * self.kernel[1])

        # The pixel that completes each window is its last.
        completing = windows(np.arange(x.size).reshape(x.shape))[:, -1].tolist()

        def timing(record: Record) -> tuple[list[int], list[list[int]]]:
            pixels, out = record.inputs[0], record.output
            offered = [pixels.taken[pixel] + 1 for pixel in completing]
            taken, number = list(pixels.offered), 0
            for pixel in range(len(taken)):  # waits for the window completed last before it
                while number < len(completing) and completing[number] < pixel:
                    number += 1
                if number:
                    taken[pixel] = max(taken[pixel], out.taken[number - 1])
            return offered, [taken]

        return Unit(
            "gw_window",
            self.parameters,
            self.bits,
            self.bits * self.kernel[0] * self.kernel[1],
            (x.reshape(-1),),
            [*packed(windows(x), self.bits)],
            count,
            self.image[0] * self.image[1],
            timing,
        )


WINDOWS = (
    Window((6, 7), (3, 3)),
    Window((6, 7), (3, 3), style="block"),
    Window((6, 7), (3, 3), style="registers"),
    Window((6, 7), (3, 3), style="distributed", bits=40),
    Window((7, 6), (1, 1)),  # a copy
    Window((7, 6), (1, 1), stride=(2, 3)),
    Window((3, 4), (3, 4)),  # one window per image
    Window((5, 5), (2, 3), stride=(2, 1), style="block"),
    Window((8, 9), (2, 2), stride=(2, 2)),  # a pool with a column left over
    Window((7, 7), (2, 2), stride=(3, 3)),  # gaps between windows
    Window((9, 8), (3, 2), dilation=(2, 3), style="block"),
    Window((9, 8), (3, 3), stride=(2, 2), dilation=(2, 2), style="registers"),
    Window((1, 11), (1, 4)),
    Window((1, 11), (1, 3), stride=(1, 2), dilation=(1, 2)),
    Window((1, 1), (1, 1)),
    Window((5, 1), (3, 1), style="block"),
    Window((4, 2), (2, 1), style="block"),
    Window((4, 2), (2, 2), style="distributed"),
)


def test_windows(tmp_path: Path) -> None:
    check([window.unit(5) for window in WINDOWS], FILES, tmp_path)


def random_window(rng: random.Random) -> Window:
    kernel = (rng.randint(1, 4), rng.randint(1, 4))
    dilation = (rng.randint(1, 3), rng.randint(1, 3))
    height, width = (d * (k - 1) + rng.randint(1, 7) for k, d in zip(kernel, dilation, strict=True))
    return Window(
        (height, width),
        kernel,
        (rng.randint(1, 4), rng.randint(1, 4)),
        dilation,
        rng.choice(["auto", "block", "distributed", "registers"]),
        rng.randint(1, 9),
    )


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_windows(reader: str | None, tmp_path: Path) -> None:
    rng = random.Random(2)
    units = [random_window(rng).unit(4) for _ in range(60)]
    units.append(Window((28, 28), (3, 3), bits=48).unit(3))
    check(units, FILES, tmp_path, reader=reader)


def test_lint(tmp_path: Path) -> None:
    for window in WINDOWS:
        assert not lint(FILES, "gw_window", window.parameters, tmp_path), window


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window((4, 4), (5, 1)), "the kernel is larger than the image"),
        (Window((4, 4), (2, 2), dilation=(1, 4)), "the kernel is larger than the image"),
        (Window((4, 4), (2, 2), stride=(0, 1)), "are at least 1"),
    ],
)
def test_impossible_window_is_an_error(window: Window, message: str, tmp_path: Path) -> None:
    assert message in lint(FILES, "gw_window", window.parameters, tmp_path)
