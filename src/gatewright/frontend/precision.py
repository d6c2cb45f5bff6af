"""Types for what the model leaves open, so that nothing wraps unless asked to.

hls4ml infers accumulators and results of sums exactly. What it can't infer it leaves at the model's
default type, and some of that wraps in silence. `refine` looks at a converted graph, weights
included, and names better types for the next conversion. docs/semantics.md states the rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType, Overflow, Rounding, from_float, to_float
from gatewright.hlsgraph import fixed_type, printed_values

SAFE_DEFAULT = "fixed<16,6,TRN,SAT>"
# A power-of-two scale may stand far from the point; its word is short all the same.
_EXACT_FRACTION = range(-32, 33)
_CHECK_BITS = 50
_MAX_WEIGHT_BITS = 24


@dataclass
class Choices:
    """What is decided about types: by the user, and by `refine`.

    Attributes:
        user: (layer, what) pairs that the user set; these are never touched.
        layers: hls4ml's per-layer configuration, by layer; `refine` writes here.
    """

    user: set[tuple[str, str]]
    layers: dict[str, dict[str, Any]]

    def set_precision(self, layer: str, what: str, to: FixedType) -> bool:
        """Choose a type unless the user did; whether that changes anything."""
        if (layer, what) in self.user:
            return False
        return write_precision(self.layers.setdefault(layer, {}), what, str(to))

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


def settle_quantizers(layers: list[dict[str, Any]]) -> None:
    """Give every weight quantizer of QKeras a type that holds its weights exactly, scale included.

    hls4ml's type for a quantizer misses a bit of some (`keep_negative=False`, as many integer bits
    as bits), and for powers of two it is one that nothing else is inferred from. A scale that is a
    power of two needs no layer of its own: the weights carry it. Binary weights stay as they are,
    because hls4ml pairs them with binary activations.
    """
    from hls4ml.model.quantizers import QKerasPO2Quantizer, QKerasQuantizer
    from hls4ml.model.types import XnorPrecisionType

    for layer in layers:
        for key, quantizer in list(layer.items()):
            what = key.removesuffix("_quantizer")
            data = layer.get(f"{what}_data")
            if (
                not isinstance(quantizer, QKerasQuantizer | QKerasPO2Quantizer)
                or isinstance(quantizer.hls_type, XnorPrecisionType)
                or data is None
            ):
                continue
            values = np.asarray(quantizer(data), np.float64)
            current = fixed_type(quantizer.hls_type)
            exact = exact_type(values)
            if exact is None or exact.width > _MAX_WEIGHT_BITS:
                continue  # a scale of its own, which hls4ml splits off
            fits = current is not None and holds(values, current) and exact.frac <= current.frac
            if not fits:
                quantizer.hls_type = _hls4ml_type(exact)
            quantizer.alpha = 1


def _hls4ml_type(to: FixedType) -> Any:
    from hls4ml.model.types import FixedPrecisionType

    return FixedPrecisionType(to.width, to.integer, to.signed)


def _fitted(scaled: NDArray[np.float64], frac: int) -> FixedType:
    """The narrowest type with `frac` fraction bits that holds the integers `scaled`."""
    low, high = int(scaled.min()), int(scaled.max())
    signed = low < 0
    width = max(max(high, 0).bit_length(), (~low).bit_length() if signed else 0) + signed
    width = max(width, 1)
    return FixedType(width, width - frac, signed)


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


def refine(graph: Any, choices: Choices, default: FixedType) -> bool:
    """Choose types for what a converted graph left open; whether another conversion is needed.

    Args:
        graph: hls4ml's ModelGraph, with its flow applied.
        choices: Receives the choices.
        default: The model's default type.
    """
    changed = False
    for node in graph.get_layers():
        for what, variable in node.weights.items():
            changed |= _refine_weight(node, what, variable, choices, default)
        if node.class_name == "Softmax":
            changed |= _refine_softmax(node, choices)
        elif node.class_name == "Dense":
            changed |= _refine_binary_dense(node, choices)
        elif node.class_name == "ParametrizedActivation" and (
            node.get_attr("activation", "").lower() == "thresholdedrelu"
        ):
            # hls4ml takes the input's type, in which the threshold may wrap.
            threshold = np.array([node.get_attr("activ_param")], np.float64)
            changed |= choices.set_precision(node.name, "param", widened(threshold, default))
    return changed


def _refine_weight(
    node: Any, what: str, variable: Any, choices: Choices, default: FixedType
) -> bool:
    current = fixed_type(variable.type.precision)
    values = np.asarray(variable.data, np.float64)
    if current is None or (node.name, what) in choices.user or values.size == 0:
        return False
    if variable.quantizer is not None:
        return False
    if what == "scale":
        return choices.set_precision(node.name, what, scale_type(values, default))
    if what == "param":
        return choices.set_precision(node.name, what, widened(values, default))
    if holds(values, current):
        return False
    return choices.set_precision(node.name, what, widened(values, current))


def _refine_binary_dense(node: Any, choices: Choices) -> bool:
    """Types for the sum over binary weights, which hls4ml does not infer.

    Every weight is 1 or -1, so that the sum of n inputs grows by log2(n) bits and has as many
    fraction bits as the finer of input and bias.
    """
    from hls4ml.model.types import XnorPrecisionType

    inputs = fixed_type(node.get_input_variable().type.precision)
    bias = fixed_type(node.weights["bias"].type.precision)
    is_binary = isinstance(node.weights["weight"].type.precision, XnorPrecisionType)
    if not is_binary or inputs is None or bias is None:
        return False
    grown = inputs.integer + (int(node.get_attr("n_in")) - 1).bit_length() + 1
    # One more bit for the bias, and one for its sign or the input's.
    integer = max(grown, bias.integer + 1) + 1
    frac = max(inputs.frac, bias.frac)
    to = FixedType(integer + frac, integer)
    changed = choices.set_precision(node.name, "accum", to)
    return choices.set_precision(node.name, "result", to) or changed


def _refine_softmax(node: Any, choices: Choices) -> bool:
    """Types between the tables of a softmax.

    hls4ml gives `max - x` half the range it needs, so that it wraps, and divides the range of
    whatever type comes in evenly among the table's entries, so that a wide input leaves a table of
    zeros. Here the difference ends where the exponential does, the sum's type where the sum does.
    """
    if node.get_attr("implementation") != "stable":
        return False
    name = node.name
    current = fixed_type(node.get_input_variable().type.precision)
    exp_table = fixed_type(node.get_attr("exp_table_t").precision)
    accum = fixed_type(node.get_attr("accum_t").precision)
    if current is None or exp_table is None or accum is None:
        return False
    table_bits = 10
    changed = False
    if (name, "inp_norm") not in choices.user:
        # Beyond this integer width exp(-x) is below half the table's last place.
        vanishing = max(math.ceil(math.log2((exp_table.frac + 1) * math.log(2))), 0)
        integer = min(current.integer, vanishing)
        frac = min(current.frac, table_bits - integer)
        width = integer + frac
        if width < 1:
            integer, frac, width = 1 - frac, frac, 1
        to = FixedType(width, integer, False, Rounding.RND, Overflow.SAT)
        changed |= choices.set_precision(name, "inp_norm", to)
        changed |= choices.set_key(name, "ExpTableSize", 1 << width)
        changed |= choices.set_key(name, "InvTableSize", 1 << table_bits)
    terms = int(node.get_attr("n_in")) // (
        int(node.get_attr("n_inner", 1)) * int(node.get_attr("n_outer", 1))
    )
    integer = terms.bit_length()  # each term is at most one
    inv_inp = FixedType(18, integer, False, Rounding.RND, Overflow.SAT)
    changed |= choices.set_precision(name, "inv_inp", inv_inp)
    if accum.integer <= integer:
        grow = integer + 1 - accum.integer
        to = replace(accum, width=accum.width + grow, integer=integer + 1)
        changed |= choices.set_precision(name, "accum", to)
    return changed


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
