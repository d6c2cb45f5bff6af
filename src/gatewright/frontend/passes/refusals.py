"""What hls4ml has no C++ for, and no pass has reworded, refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Layer, Network, Object


def refuse(network: Network) -> Network:
    """The network itself, if hls4ml reads all of it as it is meant.

    Raises:
        UnsupportedError: naming the layer and what would be right.
    """
    for layer in network.layers:
        _check(f"{network.origin}: layer '{layer.name}'", layer)
    return network


#: Quantizers that hls4ml takes as the activation of another layer.
_BEHIND_A_LAYER = (
    *("quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_bits"),
    *("binary", "ternary"),
)


def _check(where: str, layer: Layer) -> None:
    arguments = layer.arguments
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


def _check_bound(where: str, quantizer: Object) -> None:
    bound = quantizer.arguments.get("relu_upper_bound")
    if bound is not None:
        raise UnsupportedError(
            f"{where}: hls4ml drops relu_upper_bound={bound} of {quantizer.kind}; choose the "
            "integer bits so that the type ends there"
        )


def _check_geometry(where: str, layer: Layer) -> None:
    """Refuse what hls4ml's parser passes over."""
    arguments: Mapping[str, Any] = layer.arguments
    for key, wanted in (("interpolation", "nearest"), ("normalize", False)):
        if arguments.get(key) not in (None, wanted):
            raise UnsupportedError(
                f"{where}: {key}={arguments[key]!r} is not supported; use {key}={wanted!r}"
            )
