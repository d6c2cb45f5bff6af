"""Convolutions: a fully connected layer on each window of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.kernels.dense import Dense
from gatewright.kernels.window_product import Convolution

if TYPE_CHECKING:
    from gatewright.kernels.windowed import Spread
    from gatewright.units import CircuitPart


@dataclass(frozen=True, eq=False)
class Conv(Convolution):
    """y = cast(bias + sum of products) of each window, as `conv_2d_cl` of nnet_conv2d.h.

    The weights are of shape (window height, window width, channels, filters).
    """

    @cached_property
    @override
    def product(self) -> Dense:
        weights = self.weights.reshape(self.window_tensor.size, -1)
        return Dense(**self.product_fields, weights=weights)

    @override
    def of_several(self, spread: Spread) -> CircuitPart:
        """See `Windowed.of_several`: one matrix, so that windows share what they have in common."""
        part = super().of_several(spread)
        windows, filters = len(spread.order), self.weights.shape[-1]
        matrix = np.zeros((part.inputs[0].size, windows, filters), np.int64)
        for number, window in enumerate(spread.order):
            matrix[window, number] = self.product.weights
        return replace(
            self.product,
            inputs=part.inputs,
            output=part.output,
            weights=matrix.reshape(len(matrix), -1),
            bias=np.tile(self.bias, windows),
        )
