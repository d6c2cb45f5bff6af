"""Replaces quantized activations of QKeras by layers that hls4ml converts correctly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import KINDS
from gatewright.frontend.layer_names import identifier_of
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.quantizers import QUANTIZERS

#: Layers that look up a function's name in QKeras before Keras.
_QKERAS = tuple(kind for kind in KINDS if kind.startswith("Q"))
#: Names of functions that QKeras defines differently from Keras and hls4ml.
_OTHERS = ("binary_tanh", "hard_sigmoid")


@dataclass(frozen=True)
class _Meaning:
    """A quantizer that hls4ml has, and the steps around it that complete its meaning.

    Attributes:
        quantizer: The quantizer for hls4ml.
        why: The replacement in words, for the user; "" if no steps are needed.
        mirrored: Whether the quantizer gets -x.
        least: Lower limit of the result, or None.
        most: Upper limit of the result, or None.
        scale: Factor of the result: a number, or a number for each channel.
        shift: Added after the factor.
    """

    quantizer: Object
    why: str = ""
    mirrored: bool = False
    least: float | None = None
    most: float | None = None
    scale: float | Sequence[float] = 1.0
    shift: float = 0.0


def reword_activations(network: Network) -> Network:
    """The network with quantized activations that hls4ml has and that mean the same.

    Raises:
        UnsupportedError: if hls4ml can't express an activation or one of its arguments.
    """

    def rule(parts: Parts) -> None:
        layer = parts.layer
        given: Any = layer.arguments.get("activation")
        if given == "hard_sigmoid" and layer.kind in _QKERAS:
            parts.note("hard_sigmoid of QKeras, 0.5 x + 0.5 from 0 to 1, as relus")
            _hard_sigmoid(parts, _activation_input(parts))
            return
        if given == "binary_tanh" and layer.kind in _QKERAS:
            given = Object(given, MappingProxyType({}))
        if not isinstance(given, Object):
            return
        where = f"{network.origin}: layer '{layer.label or layer.name}'"
        meaning = _meaning(where, given)
        if meaning.why:
            parts.note(meaning.why)
            _around(parts, _activation_input(parts), meaning)
        elif meaning.quantizer != given:
            parts.keep(activation=meaning.quantizer)

    network = replace(network, layers=tuple(map(_of_keras, network.layers)))
    return rewritten(network, rule, sorted({layer.kind for layer in network.layers}))


def _of_keras(layer: Layer) -> Layer:
    """A QActivation of a function that Keras has too, as Keras' Activation."""
    word = layer.arguments.get("activation")
    if layer.kind != "QActivation" or not isinstance(word, str) or word in _OTHERS:
        return layer
    return replace(layer, kind="Activation")


def _activation_input(parts: Parts) -> str:
    """The input of the activation: a QActivation's input, or the layer without its activation."""
    return parts.source if parts.layer.kind == "QActivation" else parts.keep(activation=None)


def _hard_sigmoid(parts: Parts, source: str) -> None:
    above = parts.affine("above", source, 0.5, 0.5)
    parts.at_most(parts.add("Activation", "hard_sigmoid", above, activation="relu"), 1)


def _around(parts: Parts, source: str, meaning: _Meaning) -> None:
    """Add a quantizer that reads `source`, and the layers around it."""
    if meaning.mirrored:
        source = parts.affine("mirrored", source, -1, 0)
    what = "" if parts.layer.kind == "QActivation" else meaning.quantizer.kind
    result = parts.add("QActivation", what, source, activation=meaning.quantizer)
    if meaning.least is not None:
        result = parts.at_least(result, meaning.least)
    if meaning.most is not None:
        result = parts.at_most(result, meaning.most)
    if meaning.scale != 1 or meaning.shift:
        parts.affine("scaled", result, meaning.scale, meaning.shift)


def _meaning(where: str, quantizer: Object) -> _Meaning:
    """The meaning of a quantizer as an activation, or its refusal."""
    kind = quantizer.kind
    arguments: dict[str, Any] = dict(quantizer.arguments)

    def refusal(reason: str) -> UnsupportedError:
        return UnsupportedError(f"{where}: {reason}")

    if kind == "bernoulli":
        raise refusal("bernoulli draws at random even at inference, which hardware does not do")
    if kind == "ternary_tanh":
        raise refusal("ternary_tanh is not a function of QKeras 0.9; use ternary")
    if kind in ("quantized_po2", "quantized_relu_po2", "quantized_ulaw"):
        raise refusal(f"hls4ml has no activation '{kind}'; use quantized_bits or quantized_relu")
    if kind == "binary_tanh":  # it gives -1 for 0; hls4ml's sign gives 1
        why = "binary_tanh of QKeras, which gives -1 for 0, as the sign of -x, times -1"
        return _Meaning(_by_default("binary"), why, mirrored=True, scale=-1)
    scale: Any = arguments.get("alpha")
    if isinstance(scale, str):
        raise refusal(
            f"its scale (alpha={scale}) is measured at run time, which hardware does not do; use "
            "alpha=1"
        )
    if scale is not None:
        arguments["alpha"] = 1.0
    if kind.startswith("stochastic_"):  # only stochastic in training
        known = QUANTIZERS[kind := kind.removeprefix("stochastic_")]
        arguments = {key: arguments.get(key, each.default) for key, each in known.items()}
    if kind == "quantized_bits" and arguments["bits"] == 1 and arguments["keep_negative"]:
        # The only bit is the sign: -1, else 1.
        return _scaled(_by_default("binary"), scale)
    if kind == "binary" and arguments["use_01"]:
        arguments["use_01"] = False
        half = 0.5 if scale is None else 0.5 * scale
        why = "binary with use_01 as half a sign and a half"
        return _Meaning(_made(kind, arguments), why, scale=half, shift=half)
    if kind == "ternary" and arguments["threshold"] == 0.5:
        # hls4ml scales the input of a ternary activation; with a threshold of 0.5 it has no C++.
        arguments["threshold"] = math.nextafter(0.5, 0)
    if kind == "quantized_sigmoid" and arguments["symmetric"]:
        arguments["symmetric"] = False
        least = 2.0 ** -int(arguments["bits"])
        why = f"symmetric quantized_sigmoid as a plain one with a minimum of {least:g}, by a relu"
        return _Meaning(_made(kind, arguments), why, least=least)
    if kind == "quantized_relu":
        if arguments["use_sigmoid"]:
            raise refusal("hls4ml drops use_sigmoid of quantized_relu; leave it out")
        bound: Any = arguments["relu_upper_bound"]
        arguments["relu_upper_bound"] = None
        # QKeras itself ignores the bound unless is_quantized_clip is off.
        if bound and not arguments["is_quantized_clip"]:
            why = f"quantized_relu clipped at {bound:g} as {bound:g} - relu({bound:g} - its result)"
            return _Meaning(_made(kind, arguments), why, most=bound)
    return _scaled(_made(kind, arguments), scale)


def _scaled(quantizer: Object, scale: Any) -> _Meaning:
    """The meaning of a quantizer whose result is multiplied by its alpha."""
    if scale is None or scale == 1:
        return _Meaning(quantizer)
    return _Meaning(quantizer, f"alpha of {quantizer.kind} as a factor after it", scale=scale)


def _by_default(kind: str) -> Object:
    """A quantizer with its default arguments."""
    return _made(kind, {key: each.default for key, each in QUANTIZERS[kind].items()})


def _made(kind: str, arguments: dict[str, Any]) -> Object:
    return Object(kind, MappingProxyType(arguments))


def split_activations(network: Network) -> Network:
    """The network with quantized activations as separate layers, with hls4ml's names for them."""
    layers: list[Layer] = []
    taken = {layer.name for layer in network.layers}
    activated: dict[str, str] = {}
    for layer in network.layers:
        inputs = tuple(activated.get(name, name) for name in layer.inputs)
        activation: Any = layer.arguments.get("activation")
        if isinstance(activation, Object) and layer.kind != "QActivation":
            name = f"{layer.name}_{activation.kind}"
            if name in taken:
                name = identifier_of(name, taken)
            activated[layer.name] = name
            taken.add(name)
            own = MappingProxyType({"activation": activation})
            arguments = MappingProxyType({**layer.arguments, "activation": None})
            layers.append(replace(layer, inputs=inputs, arguments=arguments))
            layers.append(Layer(name, "QActivation", (layer.name,), own))
        else:
            layers.append(replace(layer, inputs=inputs))
    outputs = tuple(activated.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(layers), outputs=outputs)
