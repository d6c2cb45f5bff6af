"""Convolutions: a fully connected layer on each window of an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from typing_extensions import override

from gatewright.kernels.dense import Dense
from gatewright.kernels.window_product import Convolution


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
