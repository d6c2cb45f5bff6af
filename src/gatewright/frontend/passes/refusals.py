"""What hls4ml has no C++ for, and no pass has reworded, refused by name."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import RECURRENT
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.shapes import shapes_of
from gatewright.hlsgraph import limits

#: Layers that are read, and not built.
_LACKED = (*RECURRENT, "LayerNormalization")
#: Layers whose result depends on which steps of a sequence are masked.
_MASKED = ("GlobalAveragePooling1D", "Softmax", *RECURRENT)
#: Layers from which no mask comes, whatever they read.
_UNMASKING = ("Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling", "Flatten")


def refuse(network: Network) -> Network:
    """The network itself, if hls4ml reads all of it as it is meant.

    Raises:
        UnsupportedError: naming the layer and what would be right.
    """
    shapes = shapes_of(network)
    for layer in network.layers:
        reason = _reason(layer, [shapes[name] for name in layer.inputs])
        if reason is not None:
            raise UnsupportedError(
                f"{network.origin}: layer '{layer.name}' ({layer.kind}): {reason}"
            )
    return network


def refuse_masks(network: Network) -> Network:
    """The network itself, if no layer leaves steps out that an embedding masks.

    Raises:
        UnsupportedError: naming the embedding and the layer.
    """
    masked: dict[str, str] = {}
    for layer in network.layers:
        name = layer.label or layer.name
        masks = [masked[each] for each in layer.inputs if each in masked]
        if layer.arguments.get("mask_zero"):
            masks = [name]
        if masks and layer.kind in _MASKED:
            raise UnsupportedError(
                f"{network.origin}: layer '{masks[0]}': its mask_zero makes '{name}' leave "
                f"out words that are 0, which hls4ml doesn't; use mask_zero=False"
            )
        if masks and not layer.kind.removeprefix("Q").startswith(_UNMASKING):
            masked[layer.name] = masks[0]
    return network


def _reason(layer: Layer, given: Sequence[tuple[int, ...]]) -> str | None:
    """Why a layer can't be had, of which hls4ml's parser says nothing, or nothing that helps.

    Args:
        layer: The layer.
        given: Shapes of what it reads.
    """
    if layer.kind in _LACKED:
        return limits.NOT_BUILT
    if layer.kind == "Dot" and any(len(shape) > 1 for shape in given):
        return limits.DOT_OF_VECTORS
    if layer.arguments.get("normalize"):
        return "normalize=True is not supported; use normalize=False"
    return limits.interpolation_reason(str(layer.arguments.get("interpolation") or "nearest"))
