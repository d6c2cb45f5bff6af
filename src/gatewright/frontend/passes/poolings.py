"""Rewrites poolings with paddings or strides that hls4ml doesn't support."""

from __future__ import annotations

from typing import Any

from gatewright.frontend.kinds import KINDS
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import same_padding

_POOLINGS = tuple(f"{which}Pooling{n}D" for which in ("Average", "Max") for n in (1, 2))
#: One less than the number of readers for which hls4ml can copy a stream.
MOST_COPIES = 6
_UNSIGNED = ("relu", "relu1", "relu6", "sigmoid", "hard_sigmoid", "softmax", "softplus")
#: Layers whose results are never negative if their inputs are never negative.
_SIGN_KEEPING = (
    *("Add", "Average", "Concatenate", "Cropping1D", "Cropping2D", "Flatten", "MaxPooling1D"),
    *("AveragePooling1D", "AveragePooling2D", "MaxPooling2D", "Maximum", "Minimum", "Multiply"),
    *("Permute", "Reshape", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"),
    *(kind for kind in KINDS if kind.startswith("Global")),
)


def pad_before_pooling(network: Network, io: str) -> Network:
    """The network with explicit padding before poolings where hls4ml would pad wrongly, or not.

    Zeros don't change a maximum over values that are never negative. For other values the pixels
    at the edge are repeated: each window contains them already.
    """
    unsigned = _unsigned(network)

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        if arguments["padding"] == "valid":
            return
        windows = arguments["pool_size"]
        strides = arguments["strides"] or windows
        sizes = parts.given[0][:-1]
        sides = [same_padding(n, k, s) for n, k, s in zip(sizes, windows, strides, strict=True)]
        if not any(map(any, sides)):
            if io == "stream":
                parts.keep(padding="valid", strides=strides)
        elif not parts.layer.kind.startswith("Max"):
            return  # the means at the edges are over fewer pixels
        elif parts.source in unsigned:
            parts.note("padding of a maximum over values that are never negative as zeros")
            flat = tuple(n for side in sides for n in side)
            padded = parts.add(f"ZeroPadding{len(sides)}D", "pad", parts.source, padding=flat)
            parts.keep(padded, padding="valid", strides=strides)
        elif io == "stream":
            parts.note("padding of a maximum as repeated edges")
            padded = parts.source
            for axis, side in enumerate(sides):
                padded = repeat_edges(parts, padded, axis, *side)
            parts.keep(padded, padding="valid", strides=strides)

    return rewritten(network, rule, _POOLINGS, io)


def repeat_edges(parts: Parts, source: str, axis: int, before: int, after: int) -> str:
    """Repeat the first pixel of an axis `before` times, and the last pixel `after` times."""
    size = parts.shape(source)[axis]
    axes = len(parts.shape(source)) - 1
    edges: list[list[str]] = []
    for what, count, cropping in (
        ("first", before, (0, size - 1)),
        ("last", after, (size - 1, 0)),
    ):
        if not count:
            edges.append([])
            continue
        flat = [0] * (2 * axes)
        flat[2 * axis : 2 * axis + 2] = cropping
        edge = source
        if size > 1:
            edge = parts.add(f"Cropping{axes}D", f"{what}{axis}", source, cropping=tuple(flat))
        edges.append([edge] * count)
    joined = [*edges[0], source, *edges[1]]
    while len(joined) > 1:  # hls4ml concatenates two at a time
        pair = parts.add("Concatenate", f"pad{axis}", *joined[:2], axis=axis + 1)
        joined[:2] = [pair]
    return joined[0]


def stride_as_windows(network: Network, io: str) -> Network:
    """The network with maximum poolings whose strides equal their windows, in streams.

    The maximum over a window is the maximum over smaller windows that cover it, along one axis
    after the other.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        windows = arguments["pool_size"]
        strides = arguments["strides"] or windows
        starts = [_cover(k, s) for k, s in zip(windows, strides, strict=True)]
        covered = all(1 <= len(each) <= MOST_COPIES for each in starts)
        if arguments["padding"] != "valid" or windows == strides or not covered:
            return
        parts.note(
            f"maximum over {list(windows)} every {list(strides)} as maxima over {list(strides)}"
        )
        source = parts.source
        for axis, each in enumerate(starts):
            source = _maximum(parts, source, axis, windows[axis], strides[axis], each)

    if io != "stream":
        return network
    return rewritten(network, rule, ["MaxPooling2D"], io)


def _cover(window: int, stride: int) -> list[int]:
    """The starts of windows of the stride's size that together cover one window.

    Empty if the stride is larger than the window.
    """
    if stride > window:
        return []
    return sorted({*range(0, window - stride, stride), window - stride})


def _maximum(
    parts: Parts, source: str, axis: int, window: int, stride: int, starts: list[int]
) -> str:
    """Add the maximum over windows along one axis of an image."""
    size = parts.shape(source)[axis]
    count = (size - window) // stride + 1
    pool = tuple(stride if n == axis else 1 for n in range(2))
    found = []
    for start in starts:
        flat = [0, 0, 0, 0]
        flat[2 * axis : 2 * axis + 2] = [start, size - start - count * stride]
        part = source
        if any(flat):
            part = parts.add("Cropping2D", f"from{axis}_{start}", source, cropping=tuple(flat))
        if stride > 1:
            part = parts.add("MaxPooling2D", f"max{axis}", part, pool_size=pool, strides=pool)
        found.append(part)
    result = found[0]
    for part in found[1:]:
        result = parts.add("Maximum", f"of{axis}", result, part)
    return result


def _unsigned(network: Network) -> set[str]:
    """Names of layers whose results are never negative, whatever the network's input is."""
    found: set[str] = set()
    for layer in network.layers:
        if _is_unsigned(layer) or (layer.kind in _SIGN_KEEPING and found.issuperset(layer.inputs)):
            found.add(layer.name)
    return found


def _is_unsigned(layer: Layer) -> bool:
    activation: Any = layer.arguments.get("activation")
    if isinstance(activation, str):
        return activation in _UNSIGNED
    if activation is not None:
        quantizer = activation.kind, activation.arguments.get("negative_slope", 0)
        return quantizer == ("quantized_relu", 0)
    if layer.kind == "ReLU":
        return not layer.arguments["negative_slope"]
    if layer.kind == "ThresholdedReLU":
        theta: Any = layer.arguments["theta"]
        return bool(theta >= 0)
    return layer.kind == "Softmax"
