"""Rewrites average poolings in streams: hls4ml has them only for whole, adjacent windows there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import same_padding

#: First element, end (exclusive), and the size of the windows in between.
Span = tuple[int, int, int]


def average_in_streams(network: Network, io: str) -> Network:
    """The network with average poolings that hls4ml supports in streams.

    Keras averages only the part of a window that lies inside the image, so windows at the edges
    become separate poolings of fewer elements. Windows that overlap or leave gaps become a
    convolution with equal weights, if these are a power of two and so exact.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        windows = arguments["pool_size"]
        strides = arguments["strides"] or windows
        axes = range(len(windows))
        sizes = parts.given[0][:-1]
        if arguments["padding"] == "same":
            if windows == strides:
                parts.note("mean over windows at the edges as separate poolings")
                spans = [_spans(sizes[axis], windows[axis]) for axis in axes]
                if _pool_spans(parts, parts.source, spans, ()) == parts.source:  # 1 element each
                    ones = (1,) * len(windows)
                    parts.keep(pool_size=ones, strides=ones, padding="valid")
        elif len(windows) == 2 and windows != strides and _is_power(math.prod(windows)):
            parts.note(f"mean over {list(windows)} every {list(strides)} as a convolution")
            kernel = np.full((*windows, parts.given[0][-1], 1), 1 / math.prod(windows), np.float32)
            parts.add(
                "DepthwiseConv2D",
                "",
                parts.source,
                weights={"depthwise_kernel": kernel},
                kernel_size=windows,
                strides=strides,
                use_bias=False,
            )

    if io != "stream":
        return network
    return rewritten(network, rule, ["AveragePooling1D", "AveragePooling2D"], io)


def _is_power(number: int) -> bool:
    return number & (number - 1) == 0


def _spans(size: int, window: int) -> list[Span]:
    """The parts of an axis in which all windows have the same number of elements."""
    before, after = same_padding(size, window, window)
    first, last = window - before, size - (window - after)
    if size <= window:
        return [(0, size, size)]
    start, end = (first if before else 0), (last if after else size)
    spans = [(0, first, first)] if before else []
    spans += [(start, end, window)] if end > start else []
    return spans + ([(last, size, size - last)] if after else [])


def _pool_spans(
    parts: Parts, source: str, spans: list[list[Span]], windows: tuple[int, ...]
) -> str:
    """Pool each part of the first axis that isn't pooled yet, and join the results."""
    axes, axis = len(spans), len(windows)
    if axis == axes:
        if math.prod(windows) == 1:
            return source
        kind = f"AveragePooling{axes}D"
        return parts.add(kind, "mean", source, pool_size=windows, strides=windows)
    results = []
    for start, end, window in spans[axis]:
        part = source
        size = parts.shape(source)[axis]
        if (start, end) != (0, size):
            sides = [0] * (2 * axes)
            sides[2 * axis : 2 * axis + 2] = start, size - end
            part = parts.add(f"Cropping{axes}D", "part", source, cropping=tuple(sides))
        results.append(_pool_spans(parts, part, spans, (*windows, window)))
    return _joined(parts, results, axis + 1)


def _joined(parts: Parts, names: list[str], axis: int) -> str:
    """Concatenate two tensors at a time, as hls4ml requires."""
    result, *rest = names
    for name in rest:
        result = parts.add("Concatenate", "joined", result, name, axis=axis)
    return result
