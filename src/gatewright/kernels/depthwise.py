"""Depthwise convolutions: each channel has weights of its own and is summed by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gatewright.fixed import cast, effective_bits
from gatewright.kernels import cmvm
from gatewright.kernels.base import Choice, Kernel, Work
from gatewright.kernels.convolution import Convolution
from gatewright.kernels.dense import Dense
from gatewright.kernels.fold import (
    Fold,
    Weights,
    folded_luts,
    folded_row,
    reuse_factors,
    shared_choice,
)
from gatewright.tensor import Tensor
from gatewright.units import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.fixed import FixedType
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class DepthwiseProduct(Kernel):
    """Sums of products channel by channel, as `depthwise_product_latency`.

    The input is of shape (n * channels,), element k of channel c at k * channels + c; the output of
    shape (channels,).

    Attributes:
        weights: raw int64 of shape (n, channels).
        bias: raw int64 of shape (channels,).
        weight_type: type of `weights`.
        bias_type: type of `bias`.
        accum: type of the accumulators, as of `Dense`.
        strategy: as of `Dense`.
        reuse_factor: how many products share a multiplier, as asked.
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
    multiplier: str = "auto"
    rom_style: str = "auto"

    def __post_init__(self) -> None:
        _ = self.columns  # refuses what can't be exact

    @cached_property
    def columns(self) -> tuple[Dense, ...]:
        """The sum of products of each channel."""
        source, to = self.inputs[0], self.output
        taps, channels = self.weights.shape
        return tuple(
            Dense(
                self.layer,
                (Tensor(source.name, (taps,), source.type),),
                Tensor(to.name, (1,), to.type),
                weights=self.weights[:, channel : channel + 1],
                bias=self.bias[channel : channel + 1],
                weight_type=self.weight_type,
                bias_type=self.bias_type,
                accum=self.accum,
                strategy=self.strategy,
            )
            for channel in range(channels)
        )

    @property
    def reuse_factors(self) -> list[int]:
        """See `Kernel.reuse_factors`."""
        return reuse_factors(*self.weights.shape)

    def steps(self, reuse: int) -> int:
        """See `Kernel.steps`."""
        return self._fold(reuse).without_zeros(self.weights).reuse

    def _fold(self, reuse: int) -> Fold:
        taps, channels = self.weights.shape
        return Fold(taps, channels, reuse)

    def row(self, lanes: tuple[int, ...]) -> Row:
        """See `Kernel.row`."""
        if self.reuse == 1:
            return super().row(lanes)
        weights = Weights(
            layer=self.layer,
            x=self.inputs[0].type,
            matrix=self.weights,
            frac=self.weight_type.frac,
            bias=cast(self.bias, self.bias_type.frac, self.accum),
            accum=self.accum,
            shared=False,
            channels=self.weights.shape[1],
            rom_style=self.rom_style,
        )
        return folded_row(weights, self._fold(self.reuse), self.weights.size, self.output)

    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Kernel.golden`."""
        (x,) = inputs
        by_channel = x.reshape(len(x), *self.weights.shape)
        sums = [dense.golden(by_channel[..., c]) for c, dense in enumerate(self.columns)]
        return np.concatenate(sums, axis=1)

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """See `Kernel.build`."""
        channels = len(self.columns)
        return [
            dense.build(circuit, target, inputs[0][channel::channels])[0]
            for channel, dense in enumerate(self.columns)
        ]

    def luts(self, reuse: int, target: Target) -> float:
        """See `Kernel.luts`."""
        if reuse == 1:
            return sum(column.luts(1, target) for column in self.columns)
        fold = self._fold(reuse).without_zeros(self.weights)
        widths = self.inputs[0].type.width, self.weight_type.width, self.accum.width
        return folded_luts(fold, widths, target, shared=False)

    def choice(self, target: Target) -> Choice:
        """See `Kernel.choice`."""
        if self.reuse > 1:
            return shared_choice(self._fold(self.reuse))
        found = {dense.choice(target).strategy for dense in self.columns}
        if len(found) == 1:
            return Choice(found.pop(), "the same for every channel")
        return Choice(f"{cmvm.ADDERS}, {cmvm.MULTIPLIERS}", "whichever costs less for each channel")

    def work(self) -> Work:
        """See `Kernel.work`."""
        nonzero = int(np.count_nonzero(self.weights))
        return Work(
            macs=self.weights.size,
            bops=nonzero * self.inputs[0].type.width * self.weight_type.width,
            ebops=int(effective_bits(self.weights).sum()) * self.inputs[0].type.width,
            weights=self.weights.size,
            nonzero=nonzero,
            parameters=self.weights.size + self.bias.size,
            weight_bits=self.weights.size * self.weight_type.width
            + self.bias.size * self.bias_type.width,
        )


@dataclass(frozen=True, eq=False)
class DepthwiseConv(Convolution):
    """Each channel convolved by itself, as `depthwise_conv_2d_cl` of nnet_sepconv2d.h.

    The weights are of shape (window height, window width, channels).
    """

    @cached_property
    def product(self) -> DepthwiseProduct:
        """See `Convolution.product`."""
        weights = self.weights.reshape(-1, self.weights.shape[-1])
        return DepthwiseProduct(**self.product_fields, weights=weights)
