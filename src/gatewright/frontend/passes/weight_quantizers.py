"""Completes and checks quantizers of weights as QKeras would."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.quantized import quantize
from gatewright.frontend.quantizers import learned

#: Weights whose scale QKeras measures if the quantizer has no alpha.
_LEARNED = ("kernel", "depthwise", "pointwise", "gamma", "variance")
#: Names of arrays by the role in the argument's name, where they differ.
_ARRAYS = {
    **{role: f"{role}_kernel" for role in ("depthwise", "pointwise")},
    **{what: f"moving_{what}" for what in ("mean", "variance")},
}


def settle_learned(network: Network) -> Network:
    """The network with a measured scale for each quantizer of learned weights without alpha."""

    def settled(layer: Layer) -> Layer:
        changed = {
            key: learned(value)
            for key, value in layer.arguments.items()
            if isinstance(value, Object) and key.removesuffix("_quantizer") in _LEARNED
        }
        arguments = MappingProxyType({**layer.arguments, **changed})
        return replace(layer, arguments=arguments) if changed else layer

    return replace(network, layers=tuple(map(settled, network.layers)))


def check_quantizers(network: Network) -> Network:
    """The network itself, if the quantizers of its weights can be evaluated.

    Raises:
        UnsupportedError: if one draws at random at inference, or QKeras itself fails with it.
    """
    for layer in network.layers:
        for key, value in layer.arguments.items():
            role = key.removesuffix("_quantizer")
            values = layer.weights.get(_ARRAYS.get(role, role))
            # Some weights are quantized only after batch normalization folding.
            if not isinstance(value, Object) or values is None or role == key:
                continue
            quantized(network, layer, key, value, values)
    return network


def quantized(
    network: Network, layer: Layer, key: str, quantizer: Object, values: NDArray[Any]
) -> NDArray[Any]:
    """An array of a layer as its quantizer, the argument `key`, makes it at inference.

    Raises:
        UnsupportedError: if the quantizer draws at random at inference, or QKeras itself fails.
    """
    try:
        return quantize(quantizer, values).values
    except ValueError as error:
        raise UnsupportedError(
            f"{network.origin}: layer '{layer.name}': {key} {quantizer.kind} {error}"
        ) from None
