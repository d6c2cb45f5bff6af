"""Layers of images and sequences that have no weights."""

from __future__ import annotations

from typing import Any

from gatewright import kernels
from gatewright.hlsgraph import image
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.node import words
from gatewright.kernels import Kernel
from gatewright.lower.registry import lowers, place, rows
from gatewright.lower.windows import windows


@lowers("Pooling1D", "Pooling2D")
def pooling(layer: Layer) -> Kernel:
    """The maximum or the mean of a window."""
    return kernels.Pooling(
        **place(layer),
        **windows(layer),
        **_reduction(layer),
        **rows(layer),
        count_pads=image.counts_pads(layer.node),
    )


@lowers("GlobalPooling1D", "GlobalPooling2D")
def global_pooling(layer: Layer) -> Kernel:
    """The maximum or the mean of all pixels."""
    (source,) = layer.inputs
    pixels = source.size // source.shape[-1]
    return kernels.GlobalPooling(**place(layer), **_reduction(layer), divisor=pixels)


@lowers("ZeroPadding1D", "ZeroPadding2D")
def zero_padding(layer: Layer) -> Kernel:
    """Zeros around an image."""
    return kernels.ZeroPadding(**place(layer), pads=image.pads(layer.node))


@lowers("Cropping1D", "Cropping2D")
def cropping(layer: Layer) -> Kernel:
    """An image without its borders."""
    return kernels.Cropping(**place(layer), crop=image.crops(layer.node))


@lowers("Resize")
def up_sampling(layer: Layer) -> Kernel:
    """Each pixel repeated in both directions."""
    sizes = (kernels.image_shape(each)[:2] for each in (layer.inputs[0], layer.output))
    height, width = (to // source for source, to in zip(*sizes, strict=True))
    return kernels.UpSampling(**place(layer), factors=(height, width), **rows(layer))


def _reduction(layer: Layer) -> dict[str, Any]:
    """The fields of any pooling."""
    operation = image.pooling(layer.node)
    if operation not in kernels.POOLINGS:
        raise layer.refuse(f"pooling '{operation}' is not supported yet")
    return {
        "operation": operation,
        "accum": words(layer.node, "accum"),
        "cast_first": layer.streams,
    }
