"""Types that are chosen: by the user, by a model's quantizers, by the values that they hold.

docs/semantics.md states the rules; `refine` applies them to what a model leaves open.
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
# A power-of-two scale may stand far from the point; its word is short all the same.
_EXACT_FRACTION = range(-32, 33)
_CHECK_BITS = 50
_MAX_WEIGHT_BITS = 24
_LEAST_RESULT = 2.0**-8


@dataclass
class Choices:
    """What is decided about types: by the user, and by `refine`.

    Attributes:
        user: (layer, what) pairs that the user set, or that a layer's meaning leaves no choice in;
            these are never touched.
        layers: hls4ml's per-layer configuration, by layer; `refine` writes here.
    """

    user: set[tuple[str, str]]
    layers: dict[str, dict[str, Any]]

    def set_precision(self, layer: str, what: str, to: FixedType) -> bool:
        """Choose a type unless the user did; whether that changes anything."""
        layer, what = self._place(layer, what)
        if (layer, what) in self.user:
            return False
        return write_precision(self.layers.setdefault(layer, {}), what, str(to))

    def chose_result(self, layer: str) -> bool:
        """Whether a result's type was chosen here."""
        chosen = self.layers.get(layer, {}).get("Precision", {}).get("result", "auto")
        return chosen != "auto" and (layer, "result") not in self.user

    def _place(self, layer: str, what: str) -> tuple[str, str]:
        """Where hls4ml reads a type: half a separable convolution has it from the whole's."""
        for half in ("depthwise", "pointwise"):
            whole = layer.removesuffix(f"_{half}")
            if layer not in self.layers and whole != layer and whole in self.layers:
                return whole, half if what == "weight" else f"{half}_{what}"
        return layer, what

    def set_key(self, layer: str, key: str, value: Any) -> bool:
        """Set another key of a layer's configuration; whether that changes anything."""
        entry = self.layers.setdefault(layer, {})
        changed = entry.get(key) != value
        entry[key] = value
        return bool(changed)


def write_precision(entry: dict[str, Any], what: str, text: str) -> bool:
    """Write a type into a layer's configuration, where hls4ml reads it; whether it is a new one."""
    # hls4ml looks these up as plain attributes; it ignores them among the precisions.
    direct = what.endswith("table") or what in ("inv_inp", "inp_norm")
    place, key = (entry, f"{what}_t") if direct else (entry.setdefault("Precision", {}), what)
    changed = place.get(key) != text
    place[key] = text
    return bool(changed)


def holds(values: NDArray[Any], to: FixedType) -> bool:
    """Whether casting `values` to `to` leaves every one of them in range."""
    # Fifty bits reach beyond any weight worth converting; saturated, so that none comes back in.
    wide = replace(
        to, width=_CHECK_BITS, integer=_CHECK_BITS - to.frac, signed=True, overflow=Overflow.SAT
    )
    raw = from_float(np.asarray(values, np.float64), wide)
    return bool(raw.size == 0 or (raw.min() >= to.lowest and raw.max() <= to.max))


def exact_type(values: NDArray[Any]) -> FixedType | None:
    """The smallest type that holds all `values` exactly, or None if 32 fraction bits don't do."""
    values = np.asarray(values, np.float64)
    for frac in _EXACT_FRACTION:
        scaled = np.ldexp(values, frac)
        if (scaled == np.floor(scaled)).all():
            return _fitted(scaled, frac)
    return None


def settle_quantizers(layers: list[dict[str, Any]], choices: Choices, default: FixedType) -> None:
    """Give every weight quantizer of QKeras a type that holds its weights exactly, scale included.

    hls4ml's type for a quantizer misses a bit of some (`keep_negative=False`, as many integer bits
    as bits), and for powers of two it is one that nothing else is inferred from. A scale that is a
    power of two needs no layer of its own: the weights carry it. Where another scale is one that
    hls4ml would lose, they carry it rounded. Binary weights of -1 and 1 stay as they are, because
    hls4ml pairs them with binary activations.

    Args:
        layers: The layers, as hls4ml parsed them; changed in place.
        choices: Receives the types of weights that are left without a quantizer.
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
                # It gives signs and drops the scale; this one gives what QKeras does.
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
            elif what != "weight":  # hls4ml splits a scale off these only
                layer[f"{what}_data"], layer[key] = values, None
                whole = "Separable" in layer["class_name"] or what == "bias"
                to = scale_type(values, default)
                choices.set_precision(layer["name"], what if whole else "weight", to)


def check_scales(origin: str, layers: list[dict[str, Any]]) -> None:
    """Refuse scales that hls4ml loses where its own types are asked for.

    Raises:
        UnsupportedError: naming the layer, and how its scale is kept.
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
    """Give every activation that QKeras quantizes the type that its values have.

    hls4ml's type for one is not always that of the quantizer (`keep_negative=False`, `symmetric`,
    no fraction bits). Where it moves a quantization into the layer before, it forgets the type,
    unless the layer has it as a quantizer, too.

    Args:
        origin: What the user calls the model.
        layers: The layers, as hls4ml parsed them; changed in place.
        choices: Receives the types.

    Raises:
        UnsupportedError: naming the layer, if its scale is measured at run time, or hls4ml drops
            a part of what its quantizer does.
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
            assert slope is not None  # a power of two, which `_check_relu` has seen
            choices.set_precision(name, "param", slope)
        if layer["class_name"] != "Activation":
            continue
        if quantizer["class_name"] == "linear":  # what the parser calls quantized_bits
            choices.set_precision(name, "result", _bits_type(config))
        elif quantizer["class_name"] == "quantized_relu":
            width, integer = int(config["bits"]), int(config["integer"])
            to = FixedType(width, integer, False, Rounding.RND_CONV, Overflow.SAT)
            choices.set_precision(name, "result", to)
        if layer["activation"] == "linear":
            to = FixedType.parse(choices.layers[name]["Precision"]["result"])
            layer["quantizer"] = Quantizer(to.width, _hls4ml_type(to))


def settle_linear(layers: list[dict[str, Any]], choices: Choices) -> None:
    """Have linear activations keep the types that the user asked for where hls4ml drops the layer.

    Args:
        layers: The layers, as hls4ml parsed them; changed in place.
        choices: What the user chose.
    """
    from hls4ml.model.quantizers import Quantizer

    for layer in layers:
        is_linear = layer["class_name"] == "Activation" and layer["activation"] == "linear"
        if is_linear and (layer["name"], "result") in choices.user:
            to = FixedType.parse(choices.layers[layer["name"]]["Precision"]["result"])
            layer["quantizer"] = Quantizer(to.width, _hls4ml_type(to))


def _check_relu(layer: str, config: dict[str, Any]) -> None:
    """Refuse a `quantized_relu` that hls4ml reads as another one."""
    slope, bits = float(config["negative_slope"]), int(config["bits"])
    if slope and not 2.0 ** (1 - bits) <= slope <= 1:
        raise UnsupportedError(
            f"{layer}: quantized_relu of {bits} bits with negative_slope={slope:g} ends at "
            f"values that {bits} bits can't hold; use a power of two from "
            f"{2.0 ** (1 - bits):g} to 1"
        )


def _sloped_type(config: dict[str, Any]) -> FixedType:
    """The type of a `quantized_relu` with a slope: one of its bits is the sign."""
    width, integer = int(config["bits"]), int(config["integer"]) + 1
    return FixedType(width, integer, True, Rounding.RND_CONV, Overflow.SAT)


def settle_slopes(origin: str, graph: Any, choices: Choices) -> bool:
    """Have a `quantized_relu` with a slope end where it does in QKeras; whether types changed.

    QKeras saturates it at -slope 2^integer, hls4ml's type at -2^integer. So what it reads has to
    saturate at -2^integer, which changes nothing else: above 2^integer it saturates anyway.

    Args:
        origin: What the user calls the model.
        graph: hls4ml's ModelGraph, with its flow applied.
        choices: Receives the types.

    Raises:
        UnsupportedError: naming the layer, if what it reads can't be made to.
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
                f"that nothing else reads, or a quantized_bits with {integer - 1} integer bits"
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
    """`default` with as many more integer bits as it takes to hold `values`; the fraction stays."""
    to = default
    while not holds(values, to):
        to = replace(to, width=to.width + 1, integer=to.integer + 1)
    return to


def scale_type(values: NDArray[Any], default: FixedType) -> FixedType:
    """A type for scales: exact where the default's width allows, else with the point moved.

    A scale may be far below one, where the default type would leave it no significant bits.
    """
    exact = exact_type(values)
    if exact is not None and exact.width <= default.width:
        return exact
    largest = float(np.abs(values).max())
    integer = math.floor(math.log2(largest)) + 1 + default.signed
    return widened(values, replace(default, integer=integer))


def is_fine(columns: NDArray[np.float64], to: FixedType, error: float) -> bool:
    """Whether a type keeps the weights of a layer, and not only those of its largest results.

    Of each result, the rounding of its weights may add up to a part of the weights' sum, both taken
    as magnitudes: so much of the result it is at most if all products have one sign. Results whose
    weights are below 2^-8 of the layer's largest don't count: they are as good as none.

    Args:
        columns: Weights of shape (terms, results).
        to: A type that holds them.
        error: That part.
    """
    sums = np.abs(columns).sum(axis=0)
    errors = np.abs(columns - to_float(from_float(columns, to), to.frac)).sum(axis=0)
    counts = sums >= _LEAST_RESULT * sums.max(initial=0)
    return bool((errors <= error * sums)[counts].all())


def fine_type(columns: NDArray[np.float64], default: FixedType, error: float) -> FixedType:
    """A type that is fine for weights: the default's width with the point moved, or some bits more.

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
    """Whether a layer does nothing but cast, to a type that no quantizer names."""
    return (
        node.class_name == "Activation"
        and activation.function(node) == "linear"
        and activation.quantizer(node) is None
    )


def freeze_weights(graph: Any) -> None:
    """Replace every fixed-point weight by the value that it has in hardware.

    hls4ml prints a weight with as many decimals as its type has fraction bits and lets C++ read it
    back; what C++ makes of that text is what a weight is.
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
