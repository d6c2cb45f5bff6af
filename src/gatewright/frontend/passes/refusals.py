"""What hls4ml has no C++ for, and no pass has reworded, refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.shapes import shapes_of


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


def _check(where: str, layer: Layer) -> None:
    """Refuse what hls4ml's parser passes over."""
    arguments: Mapping[str, Any] = layer.arguments
    for key, wanted in (("interpolation", "nearest"), ("normalize", False)):
        if arguments.get(key) not in (None, wanted):
            raise UnsupportedError(
                f"{where}: {key}={arguments[key]!r} is not supported; use {key}={wanted!r}"
            )
