"""The fields of a kernel with a sliding window over an image or a sequence."""

from __future__ import annotations

from typing import Any

from gatewright.hlsgraph import image
from gatewright.hlsgraph.layers import Layer


def windows(layer: Layer) -> dict[str, Any]:
    """Window, strides, padding and dilation, (height, width) in pixels; sequences have height 1."""
    return {
        "window": image.window(layer.node),
        "strides": image.strides(layer.node),
        "pads": image.pads(layer.node),
        "dilation": (1, 1),
    }
