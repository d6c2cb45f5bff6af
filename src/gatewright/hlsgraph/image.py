"""Layers of images and sequences: sizes in pixels, (height, width); a sequence has the height 1."""

from __future__ import annotations

import math
from typing import Any

from gatewright.hlsgraph.node import integer, word

#: Pixels at the top, at the bottom, left and right.
Sides = tuple[int, int, int, int]
_SIDES = ("top", "bottom", "left", "right")


def is_channels_last(node: Any) -> bool:
    """Whether the last axis of what a node reads is the channels."""
    return word(node, "data_format", "channels_last") == "channels_last"


def window(node: Any) -> tuple[int, int]:
    """The window of a convolution or a pooling."""
    return _extent(node, "pool" if node.class_name.startswith("Pooling") else "filt")


def strides(node: Any) -> tuple[int, int]:
    """The strides of a window."""
    return _extent(node, "stride")


def dilations(node: Any) -> dict[str, int]:
    """Distances between a window's pixels, by what hls4ml calls them."""
    names = ("dilation", "dilation_height", "dilation_width")
    return {name: integer(node, name, 1) for name in names}


def pads(node: Any) -> Sides:
    """Pixels that a node puts around what it reads; none where it has no such attributes."""
    return _sides(node, "pad")


def crops(node: Any) -> Sides:
    """Pixels that a node cuts off."""
    return _sides(node, "crop")


def pooling(node: Any) -> str:
    """What a pooling makes of a window: "max", "average"."""
    return word(node, "pool_op")


def is_average(node: Any) -> bool:
    """Whether a node is an average pooling."""
    return "Pooling" in node.class_name and pooling(node) == "average"


def pooled_pixels(node: Any) -> int:
    """Pixels that a pooling takes the mean of."""
    is_global = node.class_name.startswith("Global")
    sides = ["in_height", "in_width", "n_in"] if is_global else ["pool_height", "pool_width"]
    return math.prod(integer(node, side, 1) for side in sides)


def counts_pads(node: Any) -> bool:
    """Whether an average counts padding, as zeros."""
    return bool(node.get_attr("count_pad", False))


def buffering(node: Any) -> str:
    """How the C++ for io_stream keeps rows."""
    return word(node, "implementation", "linebuffer")


def interpolation(node: Any) -> str:
    """How a Resize makes pixels."""
    return word(node, "algorithm", "nearest")


def _extent(node: Any, what: str) -> tuple[int, int]:
    is_image = node.class_name.removesuffix("Batchnorm").endswith("2D")
    height = integer(node, f"{what}_height") if is_image else 1
    return height, integer(node, f"{what}_width")


def _sides(node: Any, what: str) -> Sides:
    top, bottom, left, right = (integer(node, f"{what}_{side}", 0) for side in _SIDES)
    return top, bottom, left, right
