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

    hls4ml's parser fails without one. Its Vitis backend has no SimpleRNN, which becomes a GRU.

    Raises:
        UnsupportedError: if hls4ml can't build a layer.
    """
    for layer in network.layers:
        reason = _reason(layer) if layer.kind in RECURRENT else None
        if reason is not None:
            raise UnsupportedError(
                f"{network.origin}: layer '{layer.name}' ({layer.kind}): {reason}"
            )
    layers = [_reworded(network, layer) for layer in network.layers]
    plain = [layer for layer in layers if layer.kind == "SimpleRNN"]
    notes = [
        f"layer '{layer.label or layer.name}': a SimpleRNN is built as a GRU whose gates are open"
        for layer in plain
    ]
    layers = [_open_gru(layer) if layer.kind == "SimpleRNN" else layer for layer in layers]
    return replace(network, layers=tuple(layers), notes=(*network.notes, *notes))


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


def _open_gru(layer: Layer) -> Layer:
    """A SimpleRNN as a GRU that computes the same: z = relu(0) = 0, r = relu(1) = 1.

    So h = g (1 - z) + h z = g, and g = act(W x + b + r (U h)) is what the SimpleRNN has.
    """
    units = int(layer.weights["kernel"].shape[-1])
    arrays = {
        name: np.pad(layer.weights[name], ((0, 0), (2 * units, 0)))
        for name in ("kernel", "recurrent_kernel")
    }
    own = np.concatenate([np.zeros(units), np.ones(units), layer.weights["bias"]])
    arrays["bias"] = np.stack([own, np.zeros(3 * units)]).astype(layer.weights["bias"].dtype)
    types = dict(layer.types)
    if types.pop("bias", None) is not None and (to := exact_type(arrays["bias"])) is not None:
        types |= dict.fromkeys(("bias", "recurrent_bias"), to)
    arguments = {**layer.arguments, "recurrent_activation": "relu", "reset_after": True}
    return replace(
        layer,
        kind="GRU",
        arguments=MappingProxyType(arguments),
        weights=MappingProxyType(arrays),
        types=MappingProxyType(types),
    )


def _reason(layer: Layer) -> str | None:
    """Why hls4ml can't build a recurrent layer; None if it can."""
    kind, given = layer.kind.removeprefix("Q"), layer.arguments
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
        for value in (given["activation"], given.get("recurrent_activation", "relu"))
    ]
    return recurrent_reason(*names)
