"""Depthwise convolutions: each channel has weights of its own and is summed by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from gatewright.kernels import cmvm
from gatewright.kernels.dense import Dense
from gatewright.kernels.kernel import Implementation
from gatewright.kernels.product import Product
from gatewright.kernels.window_product import Convolution
from gatewright.tensor import Tensor
from gatewright.units import Datapath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class DepthwiseProduct(Product):
    """Sums of products channel by channel, as `depthwise_product_latency`.

    The input is of shape (n * channels,), element k of channel c at k * channels + c; the output of
    shape (channels,). The weights are of shape (n, channels), the bias of shape (channels,).
    """

    shared: ClassVar[bool] = False

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

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        if self.reuse == 1:
            return super().datapath(lanes)
        return self.multiplexed(lanes[0])

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        by_channel = x.reshape(len(x), *self.weights.shape)
        sums = [dense.golden(by_channel[..., c]) for c, dense in enumerate(self.columns)]
        return np.concatenate(sums, axis=1)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        channels = len(self.columns)
        return [
            dense.build(circuit, target, inputs[0][channel::channels])[0]
            for channel, dense in enumerate(self.columns)
        ]

    @override
    def unrolled_area(self, target: Target) -> float:
        return sum(column.area(1, target) for column in self.columns)

    @override
    def unrolled_implementation(self, target: Target) -> Implementation:
        found = {dense.implementation(target).strategy for dense in self.columns}
        if len(found) == 1:
            return Implementation(found.pop(), "the same for every channel")
        return Implementation(
            f"{cmvm.ADDERS}, {cmvm.MULTIPLIERS}", "whichever costs less for each channel"
        )


@dataclass(frozen=True, eq=False)
class DepthwiseConv(Convolution):
    """Each channel convolved by itself, as `depthwise_conv_2d_cl` of nnet_sepconv2d.h.

    The weights are of shape (window height, window width, channels).
    """

    @cached_property
    @override
    def product(self) -> DepthwiseProduct:
        weights = self.weights.reshape(-1, self.weights.shape[-1])
        return DepthwiseProduct(**self.product_fields, weights=weights)
