"""What hls4ml has no C++ for, and no pass has reworded, refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import RECURRENT
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.shapes import shapes_of

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
        where = f"{network.origin}: layer '{layer.name}'"
        _check(where, layer)
        if layer.kind == "Dot" and any(len(shapes[name]) > 1 for name in layer.inputs):
            raise UnsupportedError(
                f"{where}: a Dot of tensors of rank above 1; hls4ml has it of vectors only"
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
                f"{network.origin}: layer '{masks[0]}': its mask_zero has '{name}' leave out words "
                "that are 0, which hls4ml's does not; use mask_zero=False"
            )
        if masks and not layer.kind.removeprefix("Q").startswith(_UNMASKING):
            masked[layer.name] = masks[0]
    return network


def _check(where: str, layer: Layer) -> None:
    """Refuse what hls4ml's parser passes over."""
    arguments: Mapping[str, Any] = layer.arguments
    if layer.kind in _LACKED:
        raise UnsupportedError(f"{where}: {layer.kind} is not supported yet")
    for key, wanted in (("interpolation", "nearest"), ("normalize", False)):
        if arguments.get(key) not in (None, wanted):
            raise UnsupportedError(
                f"{where}: {key}={arguments[key]!r} is not supported; use {key}={wanted!r}"
            )
