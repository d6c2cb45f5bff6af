"""From what a network means to what hls4ml can say: layers are reworded, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Layer, Network, Object, Value


def supported(network: Network) -> Network:
    """The network in layers that hls4ml reads as they are meant.

    Raises:
        UnsupportedError: naming the layer and what would be right.
    """
    network = _without_identities(network)
    return replace(
        network, layers=tuple(_reworded(network.origin, each) for each in network.layers)
    )


def _without_identities(network: Network) -> Network:
    """The network without layers that do nothing at inference: who reads one reads its input."""
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if layer.kind in IDENTITY:
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _reworded(origin: str, layer: Layer) -> Layer:
    """The layer as hls4ml knows it."""
    where = f"{origin}: layer '{layer.name}'"
    arguments = layer.arguments
    if layer.kind == "ReLU":
        return _relu(where, layer)
    if layer.kind == "Softmax" and arguments["axis"] == (-1,):
        # hls4ml writes C++ for the layer that does not compile, and for the activation it does.
        return _as(layer, "Activation", activation="softmax")
    if layer.kind == "Softmax" and len(_axes(layer)) != 1:
        raise UnsupportedError(f"{where}: softmax over {len(_axes(layer))} axes; hls4ml does one")
    _check_geometry(where, layer)
    activation = arguments.get("activation")
    if isinstance(activation, Object):
        _check_bound(where, activation)
        if layer.kind != "QActivation" and activation.kind not in _BEHIND_A_LAYER:
            raise UnsupportedError(
                f"{where}: hls4ml has no activation '{activation.kind}' in a {layer.kind}; put it "
                "in a QActivation"
            )
    for key, value in arguments.items():
        if key.endswith("_quantizer") and isinstance(value, Object):
            _check_bound(where, value)
    if layer.kind == "PReLU" and arguments["shared_axes"] is not None:
        raise UnsupportedError(f"{where}: shared_axes of a PReLU; hls4ml has an alpha per element")
    return layer


#: Quantizers that hls4ml takes as the activation of another layer.
_BEHIND_A_LAYER = (
    *("quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_bits"),
    *("binary", "ternary"),
)


def _axes(layer: Layer) -> tuple[Any, ...]:
    axes = layer.arguments["axis"]
    return axes if isinstance(axes, tuple) else (axes,)


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


def _check_bound(where: str, quantizer: Object) -> None:
    bound = quantizer.arguments.get("relu_upper_bound")
    if bound is not None:
        raise UnsupportedError(
            f"{where}: hls4ml drops relu_upper_bound={bound} of {quantizer.kind}; choose the "
            "integer bits so that the type ends there"
        )


def _check_geometry(where: str, layer: Layer) -> None:
    """Refuse what hls4ml's parser passes over in layers with windows."""
    arguments: Mapping[str, Any] = layer.arguments
    for key, wanted, instead in (
        ("data_format", "channels_last", "channels_last"),
        ("interpolation", "nearest", "nearest"),
        ("keepdims", False, "keepdims=False and a Reshape"),
        ("normalize", False, "normalize=False"),
    ):
        if arguments.get(key) not in (None, wanted):
            raise UnsupportedError(
                f"{where}: {key}={arguments[key]!r} is not supported; use {instead}"
            )
    for key in ("dilation_rate", "groups", "depth_multiplier"):
        value = arguments.get(key, 1)
        if any(extent != 1 for extent in (value if isinstance(value, tuple) else (value,))):
            shown = list(value) if isinstance(value, tuple) else value
            raise UnsupportedError(f"{where}: {key}={shown}; hls4ml does 1 only")
