"""Rewrites max poolings in streams whose windows are smaller than their strides."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.passes.poolings import MOST_COPIES


def select_before_pooling(network: Network, io: str) -> Network:
    """The network without max poolings whose windows are smaller than their strides, in streams.

    For each position in the window, a strided 1x1 convolution with weights of 1 selects the
    elements. The maximum of these selections is the pooling along the axis.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        windows = arguments["pool_size"]
        strides = arguments["strides"] or windows
        narrow = [k for k, s in zip(windows, strides, strict=True) if k < s]
        if not narrow or max(narrow) > MOST_COPIES:
            return
        parts.note(f"maximum over {list(windows)} every {list(strides)} as one of selected pixels")
        pool_size, steps = list(windows), list(strides)
        source = parts.source
        for axis, (window, stride) in enumerate(zip(windows, strides, strict=True)):
            if window < stride:
                source = _greatest(parts, source, axis, window, stride)
                pool_size[axis] = steps[axis] = 1
        if pool_size != [1, 1]:
            parts.keep(source, pool_size=tuple(pool_size), strides=tuple(steps))

    if io != "stream":
        return network
    return rewritten(network, rule, ["MaxPooling2D"], io)


def _greatest(parts: Parts, source: str, axis: int, window: int, stride: int) -> str:
    size, channels = parts.shape(source)[axis], parts.shape(source)[-1]
    last = (size - window) // stride * stride  # where the last window starts
    strides = (stride, 1) if axis == 0 else (1, stride)
    found: list[str] = []
    for start in range(window):
        sides = [0, 0, 0, 0]
        sides[2 * axis : 2 * axis + 2] = start, size - (last + start + 1)
        part = source
        if any(sides):
            part = parts.add("Cropping2D", f"from{axis}_{start}", source, cropping=tuple(sides))
        part = parts.add(
            "DepthwiseConv2D",
            f"every{axis}",
            part,
            weights={"depthwise_kernel": np.ones((1, 1, channels, 1), np.float32)},
            kernel_size=(1, 1),
            strides=strides,
            use_bias=False,
        )
        found.append(part)
    result = found[0]
    for part in found[1:]:
        result = parts.add("Maximum", f"of{axis}", result, part)
    return result
