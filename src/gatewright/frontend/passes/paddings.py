"""Adds zeros before convolutions, or in their kernels, where hls4ml would misplace the windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.frontend.kinds import KINDS
from gatewright.frontend.network import Network
from gatewright.frontend.passes.kernels import check_zeros, window_of
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import same_padding, shape_of

_CONVOLUTIONS = tuple(kind for kind, known in KINDS.items() if "kernel_size" in known.arguments)


def pad_causally(network: Network) -> Network:
    """The network with explicit zeros before causal convolutions that have strides.

    Keras pads by the size of the kernel minus one, whatever the stride. hls4ml pads less if the
    last window doesn't reach the end, and so shifts all windows.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        if arguments["padding"] != "causal" or arguments["strides"] == (1,):
            return
        before = arguments["dilation_rate"][0] * (arguments["kernel_size"][0] - 1)
        parts.note(f"causal padding with strides {arguments['strides'][0]} as zeros before it")
        source = parts.add("ZeroPadding1D", "pad", parts.source, padding=(before, 0))
        parts.keep(source, padding="valid")

    return rewritten(network, rule, _CONVOLUTIONS)


def heighten_windows(network: Network, io: str) -> Network:
    """The network without windows of one row with vertical strides, in streams.

    hls4ml's C++ ignores these strides. Rows of zeros below the kernel make the window higher and
    don't change the result.

    Raises:
        UnsupportedError: if a layer's quantizer would change the zeros.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        window, strides = arguments["kernel_size"], arguments["strides"]
        if len(window) != 2 or window[0] > 1 or strides[0] == 1:
            return
        key = window_of(parts.layer)
        if key == "kernel" and window == (1, 1):
            return  # hls4ml has separate C++ for pointwise convolutions
        check_zeros(network.origin, parts, f"strides {list(strides)} of a window of one row")
        parts.note(
            f"a window of one row with strides {list(strides)} as a taller one with rows of zeros"
        )
        height, width, _ = parts.given[0]
        rows = shape_of(parts.layer, parts.given)[0] * strides[0]
        padded = arguments["padding"] == "same"
        beside = same_padding(width, window[1], strides[1]) if padded else (0, 0)
        sides = (0, rows - height, *beside)
        source = parts.source
        if any(sides):
            source = parts.add("ZeroPadding2D", "pad", source, padding=sides)
        kernel = parts.layer.weights[key]
        zeros = np.zeros((strides[0] - 1, *kernel.shape[1:]), kernel.dtype)
        parts.keep(
            source,
            weights={**parts.layer.weights, key: np.concatenate([kernel, zeros])},
            kernel_size=(strides[0], window[1]),
            padding="valid",
        )

    if io != "stream":
        return network
    return rewritten(network, rule, _CONVOLUTIONS, io)
