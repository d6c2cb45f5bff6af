"""Activations as hls4ml has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Layer, Network, Value


def reword_activations(network: Network) -> Network:
    """The network with each ReLU and softmax as the activation that hls4ml has.

    Raises:
        UnsupportedError: naming a layer that is none.
    """
    layers = tuple(_reworded(network.origin, layer) for layer in network.layers)
    return replace(network, layers=layers)


def _reworded(origin: str, layer: Layer) -> Layer:
    where = f"{origin}: layer '{layer.name}'"
    if layer.kind == "ReLU":
        return _relu(where, layer)
    if layer.kind == "Softmax":
        axes: Any = layer.arguments["axis"]
        if axes == (-1,):
            # hls4ml writes C++ for the layer that does not compile, and for the activation it does.
            return _as(layer, "Activation", activation="softmax")
        if len(axes) != 1:
            raise UnsupportedError(f"{where}: softmax over {len(axes)} axes; hls4ml does one")
    return layer


def _as(layer: Layer, kind: str, **arguments: Value) -> Layer:
    return replace(layer, kind=kind, arguments=MappingProxyType(arguments))


def _relu(where: str, layer: Layer) -> Layer:
    """A ReLU as one of the activations that hls4ml has."""
    arguments: Mapping[str, Any] = layer.arguments
    slope, limit = arguments["negative_slope"] or 0, arguments["max_value"]
    threshold = arguments["threshold"] or 0
    if limit in (1, 6) and not slope and not threshold:
        return _as(layer, "Activation", activation=f"relu{limit:.0f}")
    if limit is not None or threshold:
        raise UnsupportedError(
            f"{where}: hls4ml clips a ReLU at 1 or 6 only, without slope or threshold; use a "
            "quantized_relu of the range wanted, or a ThresholdedReLU"
        )
    if slope:
        return _as(layer, "LeakyReLU", alpha=slope)
    return _as(layer, "Activation", activation="relu")
