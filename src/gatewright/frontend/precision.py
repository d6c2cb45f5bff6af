"""Types chosen by the user, by a model's quantizers, or by the values that they must hold.

docs/semantics.md states the rules; `refine` applies them to types that the model doesn't set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.fixed import (
    FixedType,
    Overflow,
    Rounding,
    from_float,
    narrowest_type,
    to_float,
)
from gatewright.hlsgraph import activation, fixed_type
from gatewright.hlsgraph.families import CASTING
from gatewright.hlsgraph.node import read_type
from gatewright.hlsgraph.weights import printed_values

SAFE_DEFAULT = "fixed<16,6,TRN,SAT>"
# A weight times a power-of-two scale may lie far from the binary point and still need few bits.
_EXACT_FRACTION = range(-32, 33)
_CHECK_BITS = 50
_MAX_WEIGHT_BITS = 24
_LEAST_RESULT = 2.0**-8


@dataclass
class Choices:
    """The types that the user and `refine` have chosen.

    Attributes:
        user: Types and keys, as (layer, name), that the user set or that a layer's meaning fixes;
            these never change.
        layers: hls4ml's configuration of layers, by layer; `refine` writes here.
    """

    user: set[tuple[str, str]]
    layers: dict[str, dict[str, Any]]

    def set_precision(self, layer: str, what: str, to: FixedType) -> bool:
        """Choose a type unless the user did, and return whether it changed."""
        layer, what = self._place(layer, what)
        if (layer, what) in self.user:
            return False
        return write_precision(self.layers.setdefault(layer, {}), what, str(to))

    def chose_result(self, layer: str) -> bool:
        """Whether `refine`, and not the user, chose the type of a layer's result."""
        chosen = self.layers.get(layer, {}).get("Precision", {}).get("result", "auto")
        return chosen != "auto" and (layer, "result") not in self.user

    def _place(self, layer: str, what: str) -> tuple[str, str]:
        """The (layer, type's name) under which hls4ml looks up a type.

        The halves of a separable convolution have theirs in the whole layer's configuration.
        """
        for half in ("depthwise", "pointwise"):
            whole = layer.removesuffix(f"_{half}")
            if layer not in self.layers and whole != layer and whole in self.layers:
                return whole, half if what == "weight" else f"{half}_{what}"
        return layer, what

    def set_key(self, layer: str, key: str, value: Any) -> bool:
        """Set another key of a layer's configuration unless the user did; whether it changed."""
        if (layer, key) in self.user:
            return False
        entry = self.layers.setdefault(layer, {})
        changed = entry.get(key) != value
        entry[key] = value
        return bool(changed)


def write_precision(entry: dict[str, Any], what: str, text: str) -> bool:
    """Write a type into a layer's configuration, and return whether it changed."""
    # hls4ml reads these types as plain attributes, and ignores them among the precisions.
    direct = what.endswith("table") or what in ("inv_inp", "inp_norm")
    place, key = (entry, f"{what}_t") if direct else (entry.setdefault("Precision", {}), what)
    changed = place.get(key) != text
    place[key] = text
    return bool(changed)


def holds(values: NDArray[Any], to: FixedType) -> bool:
    """Whether all `values`, rounded as `to` rounds, lie in the range of `to`."""
    # Fifty bits hold any realistic weight. Saturation keeps larger ones outside the range.
    wide = replace(
        to, width=_CHECK_BITS, integer=_CHECK_BITS - to.frac, signed=True, overflow=Overflow.SAT
    )
    raw = from_float(np.asarray(values, np.float64), wide)
    return bool(raw.size == 0 or (raw.min() >= to.lowest and raw.max() <= to.max))


def exact_type(values: NDArray[Any]) -> FixedType | None:
    """The narrowest type that holds all `values` exactly; None if 32 fraction bits are too few."""
    values = np.asarray(values, np.float64)
    for frac in _EXACT_FRACTION:
        scaled = np.ldexp(values, frac)
        if (scaled == np.floor(scaled)).all():
            return _fitted(scaled, frac)
    return None


def settle_quantizers(layers: list[dict[str, Any]], choices: Choices, default: FixedType) -> None:
    """Give every weight quantizer of QKeras a type that holds its weights exactly, with scale.

    hls4ml's own type for a quantizer is one bit short in some cases (`keep_negative=False`,
    `integer` equal to `bits`); from its type for powers of two no other type can be inferred. A
    scale that is a power of two is multiplied into the weights. Other scales are too, and rounded,
    if hls4ml would lose them. Binary weights of -1 and 1 stay as they are, because hls4ml pairs
    them with binary activations.

    Args:
        layers: The layers as hls4ml parsed them; changed in place.
        choices: Receives the types of weights whose quantizer is removed.
        default: The model's default type.
    """
    from hls4ml.model.types import IntegerPrecisionType, XnorPrecisionType

    from gatewright.frontend.qkeras_layers import WeightQuantizer

    for layer in layers:
        for key, quantizer in list(layer.items()):
            what = key.removesuffix("_quantizer")
            data = layer.get(f"{what}_data")
            if data is None or not isinstance(quantizer, WeightQuantizer):
                continue
            if quantizer.is_sign and (
                quantizer.alpha not in (None, 1) or quantizer.quantizer.arguments.get("use_01")
            ):
                # As a sign it would lose the scale; this quantizer gives QKeras' values.
                quantizer = WeightQuantizer(quantizer.quantizer)
            elif isinstance(quantizer.hls_type, XnorPrecisionType):
                continue
            values = np.asarray(quantizer(data), np.float64)
            current = fixed_type(quantizer.hls_type)
            exact = exact_type(values)
            if exact is not None and exact.width <= _MAX_WEIGHT_BITS:
                fits = current is not None and holds(values, current) and exact.frac <= current.frac
                if isinstance(quantizer.hls_type, IntegerPrecisionType) and current is not None:
                    # hls4ml multiplies by an integer of two bits as if it were -1, 0 or 1.
                    fits &= current.width != 2 or values.min() >= -1
                if not fits or isinstance(quantizer.hls_type, XnorPrecisionType):
                    quantizer.hls_type = _hls4ml_type(exact)
                quantizer.alpha = 1
                layer[key] = quantizer
            elif what != "weight":  # hls4ml splits off the scale of `weight` only
                layer[f"{what}_data"], layer[key] = values, None
                whole = "Separable" in layer["class_name"] or what == "bias"
                to = scale_type(values, default)
                choices.set_precision(layer["name"], what if whole else "weight", to)


def check_scales(origin: str, layers: list[dict[str, Any]]) -> None:
    """Refuse scales that hls4ml loses when it infers types by its own rules.

    Args:
        origin: The model's name in messages.
        layers: The layers as hls4ml parsed them.

    Raises:
        UnsupportedError: if the pointwise weights of a separable convolution have a scale.
    """
    for layer in layers:
        quantizer = layer.get("pointwise_quantizer")
        if quantizer is not None and getattr(quantizer, "alpha", None) not in (None, 1):
            raise UnsupportedError(
                f"{origin}: layer '{layer['name']}': hls4ml drops the scale of a separable "
                f"convolution's pointwise weights (alpha={quantizer.alpha}); leave "
                "--preset hls4ml out, or use alpha=1"
            )


def settle_activations(origin: str, layers: list[dict[str, Any]], choices: Choices) -> None:
    """Give every quantized activation of QKeras the type of its quantizer.

    hls4ml's own type differs in some cases (`keep_negative=False`, `symmetric`, no fraction bits).
    If hls4ml merges the activation into the layer before, it keeps the type only if the activation
    also has it as its `quantizer`.

    Args:
        origin: The model's name in messages.
        layers: The layers as hls4ml parsed them; changed in place.
        choices: Receives the types.

    Raises:
        UnsupportedError: if a `quantized_relu` has a slope that its bits can't hold.
    """
    from hls4ml.model.quantizers import Quantizer

    for layer in layers:
        quantizer = layer.get("activation_quantizer")
        if not isinstance(quantizer, dict):
            continue
        name, config = layer["name"], quantizer["config"]
        if quantizer["class_name"] == "quantized_relu":
            _check_relu(f"{origin}: layer '{name}'", config)
        if layer["class_name"] == "LeakyReLU":
            choices.set_precision(name, "result", _sloped_type(config))
            slope = exact_type(np.array([config["negative_slope"]], np.float64))
            assert slope is not None  # `_check_relu` has checked that it is a power of two
            choices.set_precision(name, "param", slope)
        if layer["class_name"] != "Activation":
            continue
        if quantizer["class_name"] == "linear":  # the parser's name for quantized_bits
            choices.set_precision(name, "result", _bits_type(config))
        elif quantizer["class_name"] == "quantized_relu":
            width, integer = int(config["bits"]), int(config["integer"])
            to = FixedType(width, integer, False, Rounding.RND_CONV, Overflow.SAT)
            choices.set_precision(name, "result", to)
        if layer["activation"] == "linear":
            to = FixedType.parse(choices.layers[name]["Precision"]["result"])
            layer["quantizer"] = Quantizer(to.width, _hls4ml_type(to))


def settle_linear(layers: list[dict[str, Any]], choices: Choices) -> None:
    """Keep the user's types of linear activations, which hls4ml would drop with the layer.

    Args:
        layers: The layers as hls4ml parsed them; changed in place.
        choices: The user's choices.
    """
    from hls4ml.model.quantizers import Quantizer

    for layer in layers:
        is_linear = layer["class_name"] == "Activation" and layer["activation"] == "linear"
        if is_linear and (layer["name"], "result") in choices.user:
            to = FixedType.parse(choices.layers[layer["name"]]["Precision"]["result"])
            layer["quantizer"] = Quantizer(to.width, _hls4ml_type(to))


def _check_relu(layer: str, config: dict[str, Any]) -> None:
    """Refuse a `quantized_relu` whose negative slope is too small or too large for its bits."""
    slope, bits = float(config["negative_slope"]), int(config["bits"])
    if slope and not 2.0 ** (1 - bits) <= slope <= 1:
        raise UnsupportedError(
            f"{layer}: quantized_relu of {bits} bits with negative_slope={slope:g} saturates at "
            f"values that {bits} bits can't hold; use a power of two from "
            f"{2.0 ** (1 - bits):g} to 1"
        )


def _sloped_type(config: dict[str, Any]) -> FixedType:
    """The type of a `quantized_relu` with a slope, one of whose bits is the sign."""
    width, integer = int(config["bits"]), int(config["integer"]) + 1
    return FixedType(width, integer, True, Rounding.RND_CONV, Overflow.SAT)


def settle_slopes(origin: str, graph: Any, choices: Choices) -> bool:
    """Make each `quantized_relu` with a slope saturate where it does in QKeras.

    QKeras saturates the result at -slope * 2^integer, hls4ml's type at -2^integer. So the layer
    before must saturate at -2^integer. This changes nothing else: above 2^integer the result
    saturates anyway.

    Args:
        origin: The model's name in messages.
        graph: hls4ml's ModelGraph after its flow.
        choices: Receives the types.

    Returns:
        Whether types changed.

    Raises:
        UnsupportedError: if the layer before can't get such a type.
    """
    changed = False
    for node in graph.get_layers():
        quantizer = activation.quantizer(node)
        if not isinstance(quantizer, dict) or not quantizer["config"].get("negative_slope"):
            continue
        integer = _sloped_type(quantizer["config"]).integer
        source, read = node.get_input_node(), read_type(node)
        if read is not None and (not read.signed or read.integer <= integer):
            continue
        readers = [reader.name for reader in source.get_output_nodes()]
        alone = readers == [node.name] and not set(source.outputs) & set(graph.outputs)
        casts = source.class_name in CASTING or is_plain_linear(source)
        settled = False
        if read is not None and alone and casts:
            frac = max(read.frac, 1 - integer)
            to = FixedType(integer + frac, integer, overflow=Overflow.SAT)
            settled = choices.set_precision(source.name, "result", to)
            choices.user.add((source.name, "result"))
        if not settled:
            end = 2.0 ** (integer - 1)
            raise UnsupportedError(
                f"{origin}: layer '{node.name}': its slope ends at an input of {-end:g}, but "
                f"layer '{source.name}' goes below that; let it read a Dense, a convolution "
                f"or a sum "
                f"with no other reader, or a quantized_bits with {integer - 1} integer bits"
            )
        changed = True
    return changed


def _bits_type(config: dict[str, Any]) -> FixedType:
    """The type of an activation quantized by QKeras' `quantized_bits`, from its config."""
    signed = bool(config["keep_negative"])
    width, integer = int(config["bits"]), int(config["integer"]) + signed
    overflow = Overflow.SAT_SYM if signed and config["symmetric"] else Overflow.SAT
    return FixedType(width, integer, signed, Rounding.RND_CONV, overflow)


def _hls4ml_type(to: FixedType) -> Any:
    from hls4ml.model.types import FixedPrecisionType

    return FixedPrecisionType(to.width, to.integer, to.signed, to.rounding.name, to.overflow.name)


def _fitted(scaled: NDArray[np.float64], frac: int) -> FixedType:
    """The narrowest type with `frac` fraction bits that holds the integers `scaled`."""
    return narrowest_type(int(scaled.min()), int(scaled.max()), frac)


def widened(values: NDArray[Any], default: FixedType) -> FixedType:
    """`default` with enough further integer bits to hold `values`; the fraction bits stay."""
    to = default
    while not holds(values, to):
        to = replace(to, width=to.width + 1, integer=to.integer + 1)
    return to


def scale_type(values: NDArray[Any], default: FixedType) -> FixedType:
    """A type for scales, about as wide as the default: exact if possible, else rounded.

    Its binary point follows the largest scale. A scale may be so small that the default type would
    leave it no significant bits.
    """
    exact = exact_type(values)
    if exact is not None and exact.width <= default.width:
        return exact
    largest = float(np.abs(values).max())
    integer = math.floor(math.log2(largest)) + 1 + default.signed
    return widened(values, replace(default, integer=integer))


def is_fine(columns: NDArray[np.float64], to: FixedType, error: float) -> bool:
    """Whether a type rounds the weights of each result of a layer finely enough.

    For each result, the sum of the weights' rounding errors may be at most `error` times the sum of
    the weights, both of magnitudes. This bounds the relative error of the result if all products
    have the same sign. Results whose weights add up to less than 2^-8 of the layer's largest sum
    are ignored.

    Args:
        columns: Weights of shape (terms, results).
        to: A type that holds them.
        error: Largest relative error, a fraction of 1.
    """
    sums = np.abs(columns).sum(axis=0)
    errors = np.abs(columns - to_float(from_float(columns, to), to.frac)).sum(axis=0)
    counts = sums >= _LEAST_RESULT * sums.max(initial=0)
    return bool((errors <= error * sums)[counts].all())


def fine_type(columns: NDArray[np.float64], default: FixedType, error: float) -> FixedType:
    """A type that `is_fine` for weights, as wide as the default or a few bits wider.

    It is at most 24 bits wide, plus any integer bits that the weights need.

    Args:
        columns: As for `is_fine`.
        default: The default type.
        error: As for `is_fine`.
    """
    exact = exact_type(columns)
    if exact is not None and exact.width <= default.width:
        return exact
    integer = math.floor(math.log2(float(np.abs(columns).max()))) + 2
    to = FixedType(default.width, integer, True, Rounding.RND, Overflow.SAT)
    while not is_fine(columns, to, error) and to.width < _MAX_WEIGHT_BITS:
        to = replace(to, width=to.width + 1)
    return widened(columns, to)


def is_plain_linear(node: Any) -> bool:
    """Whether a layer is a linear activation, which only casts, without a quantizer."""
    return (
        node.class_name == "Activation"
        and activation.function(node) == "linear"
        and activation.quantizer(node) is None
    )


def freeze_weights(graph: Any) -> None:
    """Replace every fixed-point weight by its value in hardware.

    hls4ml prints a weight into C++ with as many decimals as its type has fraction bits. The value
    that C++ reads from that text is the weight's value.
    """
    from hls4ml.model.types import CompressedWeightVariable

    for node in graph.get_layers():
        for variable in node.weights.values():
            to = fixed_type(variable.type.precision)
            if to is None or isinstance(variable, CompressedWeightVariable):
                continue
            variable.data = to_float(from_float(printed_values(variable), to), to.frac)
            variable.nonzeros = np.count_nonzero(variable.data)
            variable.nzeros = variable.data.size - variable.nonzeros
            variable.min, variable.max = variable.data.min(), variable.data.max()
