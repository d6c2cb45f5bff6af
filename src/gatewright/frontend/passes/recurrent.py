"""Recurrent layers as hls4ml has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.frontend.kinds import KINDS, RECURRENT
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.passes.weight_quantizers import quantized
from gatewright.frontend.precision import exact_type
from gatewright.hlsgraph.limits import recurrent_reason

#: Quantized arrays of QKeras' layers by the name of their quantizer, with hls4ml's name of their
#: types.
_QUANTIZED: Final = {
    "kernel": ("kernel", "weight"),
    "recurrent": ("recurrent_kernel", "recurrent_weight"),
    "bias": ("bias", "bias"),
}


def reword(network: Network) -> Network:
    """QKeras' recurrent layers as Keras' of quantized weights; all of them with a bias.

    hls4ml's parser fails without one.

    Raises:
        UnsupportedError: if hls4ml can't build a layer.
    """
    for layer in network.layers:
        reason = _reason(layer) if layer.kind in RECURRENT else None
        if reason is not None:
            raise UnsupportedError(
                f"{network.origin}: layer '{layer.name}' ({layer.kind}): {reason}"
            )
    return replace(network, layers=tuple(_reworded(network, layer) for layer in network.layers))


def _reworded(network: Network, layer: Layer) -> Layer:
    kind = layer.kind.removeprefix("Q")
    if layer.kind not in RECURRENT:
        return layer
    arrays = dict(layer.weights)
    types: dict[str, FixedType] = dict(layer.types)
    if "bias" not in arrays:
        width = arrays["kernel"].shape[-1]
        shape = (2, width) if layer.arguments.get("reset_after") else (width,)
        arrays["bias"] = np.zeros(shape, np.float32)
    for role, (name, what) in _QUANTIZED.items():
        quantizer = layer.arguments.get(f"{role}_quantizer")
        if isinstance(quantizer, Object) and name in layer.weights:
            key = f"{role}_quantizer"
            arrays[name] = quantized(network, layer, key, quantizer, arrays[name])
            to = exact_type(arrays[name])
            if to is not None:
                types[what] = to
                types |= {"recurrent_bias": to} if what == "bias" and kind == "GRU" else {}
    known: Mapping[str, Any] = KINDS[kind].arguments
    arguments = {key: value for key, value in layer.arguments.items() if key in known}
    return replace(
        layer,
        kind=kind,
        arguments=MappingProxyType({**arguments, "use_bias": True}),
        weights=MappingProxyType[str, NDArray[Any]](arrays),
        types=MappingProxyType(types),
    )


def _reason(layer: Layer) -> str | None:
    """Why hls4ml can't build a recurrent layer; None if it can."""
    kind, given = layer.kind.removeprefix("Q"), layer.arguments
    if kind == "SimpleRNN":
        return "hls4ml's Vitis backend has no C++ for it; use a GRU or an LSTM"
    for flag in ("return_state", "stateful", "time_major"):
        if given.get(flag):
            return f"{flag}=True is not supported, as hls4ml has no C++ for it; use {flag}=False"
    if kind == "GRU" and not given["reset_after"]:
        return "hls4ml's C++ resets after the product with the state; use reset_after=True"
    if layer.kind == "QGRU" and given["recurrent_quantizer"] is None:
        return "QKeras multiplies the state by the kernel unless recurrent_quantizer is set"
    if given.get("state_quantizer") is not None:
        return (
            "hls4ml has one type for the state and the result; leave state_quantizer out, and set "
            f"{layer.label or layer.name}.precision.result"
        )
    names = [
        value.kind if isinstance(value, Object) else str(value)
        for value in (given["activation"], given["recurrent_activation"])
    ]
    return recurrent_reason(*names)
