"""Replaces bilinear up-sampling by repeated pixels and means of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.passes.poolings import repeat_edges


def interpolate(network: Network) -> Network:
    """The network with bilinear up-sampling by powers of two replaced.

    Keras weights two neighbours by the distance of their centres, and repeats the edges. The same
    result comes from repeating each pixel (nearest up-sampling by the factor f) and then averaging
    over a window of f + 1 pixels, whose two ends have half the weight. The weights are powers of
    two, and so exact.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        factors = arguments["size"]
        if arguments["interpolation"] != "bilinear" or any(f & (f - 1) for f in factors):
            return
        parts.note(f"bilinear up-sampling by {list(factors)} as means of repeated pixels")
        source = parts.source
        for axis, factor in enumerate(factors):
            if factor > 1:
                source = repeat_edges(parts, source, axis, 1, 1)
        source = parts.add("UpSampling2D", "nearest", source, size=factors)
        sides = tuple(factor // 2 for factor in factors for _ in range(2))
        if any(sides):
            source = parts.add("Cropping2D", "inner", source, cropping=sides)
        kernel = _weights(factors[0])[:, None] * _weights(factors[1])[None, :]
        channels = parts.given[0][-1]
        parts.add(
            "DepthwiseConv2D",
            "",
            source,
            weights={"depthwise_kernel": np.repeat(kernel[:, :, None, None], channels, axis=2)},
            kernel_size=kernel.shape,
            use_bias=False,
        )

    return rewritten(network, rule, ["UpSampling2D"])


def _weights(factor: int) -> NDArray[np.float32]:
    """The weights of repeated pixels in one result along an axis, (factor + 1,); (1,) for 1."""
    if factor == 1:
        return np.ones(1, np.float32)
    weights = np.full(factor + 1, 1 / factor, np.float32)
    weights[[0, -1]] /= 2
    return weights
