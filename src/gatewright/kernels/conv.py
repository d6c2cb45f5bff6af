"""Convolutions: a fully connected layer on each window of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gatewright.kernels.base import Choice, Kernel, Work
from gatewright.kernels.dense import Dense
from gatewright.kernels.fold import parallel_notes
from gatewright.kernels.windowed import Windowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.fixed import FixedType
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Conv(Windowed):
    """y = cast(bias + sum of products) of each window, as `conv_2d_cl` of nnet_conv2d.h.

    Attributes:
        weights: raw int64 of shape (window height, window width, channels, filters).
        bias: raw int64 of shape (filters,).
        weight_type: type of `weights`.
        bias_type: type of `bias`.
        accum: type of the accumulator, as of `Dense`.
        strategy: as of `Dense`.
        reuse_factor: as of `Dense`, of the product of a window.
        parallel: windows that are worked on at a time where a beat is an image, as asked.
        multiplier: as of `Dense`.
        rom_style: as of `Dense`.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    weight_type: FixedType
    bias_type: FixedType
    accum: FixedType
    strategy: str = "latency"
    reuse_factor: int = 1
    parallel: int = 1
    multiplier: str = "auto"
    rom_style: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.dense  # refuses what can't be exact

    @cached_property
    def dense(self) -> Dense:
        """The product on a window."""
        return Dense(
            self.layer,
            (self.window_tensor,),
            self.pixel_tensor,
            weights=self.weights.reshape(self.window_tensor.size, -1),
            bias=self.bias,
            weight_type=self.weight_type,
            bias_type=self.bias_type,
            accum=self.accum,
            strategy=self.strategy,
            reuse_factor=self.reuse_factor,
            multiplier=self.multiplier,
            rom_style=self.rom_style,
        )

    @property
    def reuse_factors(self) -> list[int]:
        """See `Kernel.reuse_factors`."""
        return self.dense.reuse_factors

    @property
    def repeats(self) -> int:
        """See `Kernel.repeats`."""
        return 1 if self.whole else self.positions[0] * self.positions[1]

    @property
    def whole(self) -> bool:
        """See `Windowed.whole`."""
        return self.reuse == 1 and self.parallel >= self.positions[0] * self.positions[1]

    @property
    def functions(self) -> tuple[tuple[Kernel, tuple[int, ...]], ...]:
        """See `Windowed.functions`."""
        return ((self.dense, tuple(range(int(np.prod(self.positions))))),)

    def notes(self) -> tuple[str, ...]:
        """See `Kernel.notes`."""
        return (
            *super().notes(),
            *parallel_notes(self.parallel, self.positions[0] * self.positions[1], self.repeats),
        )

    def luts(self, reuse: int, target: Target) -> float:
        """See `Kernel.luts`."""
        return self.dense.luts(reuse, target)

    def choice(self, target: Target) -> Choice:
        """See `Kernel.choice`."""
        return self.dense.choice(target)

    def work(self) -> Work:
        """See `Kernel.work`."""
        return repeated(self.dense.work(), self.positions)


def repeated(work: Work, positions: tuple[int, int]) -> Work:
    """Work done at each of several positions, with the same weights."""
    count = positions[0] * positions[1]
    return replace(work, macs=count * work.macs, bops=count * work.bops)
