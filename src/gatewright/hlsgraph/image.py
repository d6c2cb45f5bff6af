"""Layers of images and sequences. Sizes are (height, width) in pixels; a sequence has height 1."""

from __future__ import annotations

import math
from typing import Any

from gatewright.hlsgraph.node import integer, word

#: Pixels at the top, bottom, left and right.
Sides = tuple[int, int, int, int]
_SIDES = ("top", "bottom", "left", "right")


def is_channels_last(node: Any) -> bool:
    """Whether the channels are the last axis of a node's input."""
    return word(node, "data_format", "channels_last") == "channels_last"


def window(node: Any) -> tuple[int, int]:
    """The window of a convolution or a pooling."""
    return _extent(node, "pool" if node.class_name.startswith("Pooling") else "filt")


def strides(node: Any) -> tuple[int, int]:
    """The strides of a window."""
    return _extent(node, "stride")


def dilations(node: Any) -> dict[str, int]:
    """Dilations of a window, by hls4ml's names of them."""
    names = ("dilation", "dilation_height", "dilation_width")
    return {name: integer(node, name, 1) for name in names}


def pads(node: Any) -> Sides:
    """Padding of a node's input, in pixels; 0 without such attributes."""
    return _sides(node, "pad")


def crops(node: Any) -> Sides:
    """Cropping of a node's input, in pixels."""
    return _sides(node, "crop")


def pooling(node: Any) -> str:
    """The operation of a pooling: "max" or "average"."""
    return word(node, "pool_op")


def is_average(node: Any) -> bool:
    """Whether a node is an average pooling."""
    return "Pooling" in node.class_name and pooling(node) == "average"


def pooled_pixels(node: Any) -> int:
    """Number of pixels that a pooling averages."""
    is_global = node.class_name.startswith("Global")
    sides = ["in_height", "in_width", "n_in"] if is_global else ["pool_height", "pool_width"]
    return math.prod(integer(node, side, 1) for side in sides)


def counts_pads(node: Any) -> bool:
    """Whether an average counts padding, as zeros."""
    return bool(node.get_attr("count_pad", False))


def buffering(node: Any) -> str:
    """How the C++ for io_stream buffers rows."""
    return word(node, "implementation", "linebuffer")


def interpolation(node: Any) -> str:
    """The interpolation of a Resize."""
    return word(node, "algorithm", "nearest")


def _extent(node: Any, what: str) -> tuple[int, int]:
    is_image = node.class_name.removesuffix("Batchnorm").endswith("2D")
    height = integer(node, f"{what}_height") if is_image else 1
    return height, integer(node, f"{what}_width")


def _sides(node: Any, what: str) -> Sides:
    top, bottom, left, right = (integer(node, f"{what}_{side}", 0) for side in _SIDES)
    return top, bottom, left, right
