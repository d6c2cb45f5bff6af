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

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, Rounding, from_float, to_float
from gatewright.hlsgraph import fixed_type, printed_values

SAFE_DEFAULT = "fixed<16,6,TRN,SAT>"
# A power-of-two scale may stand far from the point; its word is short all the same.
_EXACT_FRACTION = range(-32, 33)
_CHECK_BITS = 50
_MAX_WEIGHT_BITS = 24
# These compute something, so that hls4ml casts to their result's type, whatever it is.
_CASTING = (
    *("Dense", "Conv1D", "Conv2D", "PointwiseConv1D", "PointwiseConv2D"),
    *("DepthwiseConv1D", "DepthwiseConv2D", "BatchNormalization", "ApplyAlpha", "Merge"),
)
_BINARY_SUMS = ("Dense", "Conv1D", "Conv2D", "PointwiseConv1D", "PointwiseConv2D")


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
    from hls4ml.model.quantizers import QKerasBinaryQuantizer, QKerasPO2Quantizer, QKerasQuantizer
    from hls4ml.model.types import IntegerPrecisionType, XnorPrecisionType

    for layer in layers:
        for key, quantizer in list(layer.items()):
            what = key.removesuffix("_quantizer")
            data = layer.get(f"{what}_data")
            if data is None or not isinstance(
                quantizer, QKerasBinaryQuantizer | QKerasQuantizer | QKerasPO2Quantizer
            ):
                continue
            if isinstance(quantizer, QKerasBinaryQuantizer) and quantizer.alpha not in (None, 1):
                # It gives signs and drops the scale; this one gives what QKeras does.
                quantizer = QKerasQuantizer(quantizer.qkeras_config)
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
            if config.get("alpha") not in (None, 1, 1.0):
                raise UnsupportedError(
                    f"{origin}: layer '{name}': its scale (alpha={config['alpha']}) is measured at "
                    "run time, which hardware does not do; use alpha=1"
                )
            choices.set_precision(name, "result", _bits_type(config))
        elif quantizer["class_name"] == "quantized_relu":
            width, integer = int(config["bits"]), int(config["integer"])
            to = FixedType(width, integer, False, Rounding.RND_CONV, Overflow.SAT)
            choices.set_precision(name, "result", to)
        if layer["activation"] == "linear":
            to = FixedType.parse(choices.layers[name]["Precision"]["result"])
            layer["quantizer"] = Quantizer(to.width, _hls4ml_type(to))


def _check_relu(layer: str, config: dict[str, Any]) -> None:
    """Refuse a `quantized_relu` that hls4ml reads as another one."""
    slope, bits = float(config["negative_slope"]), int(config["bits"])
    if config["use_sigmoid"]:
        raise UnsupportedError(f"{layer}: hls4ml drops use_sigmoid of quantized_relu; leave it out")
    if (bound := config["relu_upper_bound"]) is not None:
        raise UnsupportedError(
            f"{layer}: hls4ml drops relu_upper_bound={bound} of quantized_relu; choose the integer "
            "bits so that the type ends there"
        )
    if slope and not 2.0 ** (1 - bits) <= slope <= 1:
        raise UnsupportedError(
            f"{layer}: quantized_relu of {bits} bits with negative_slope={slope:g} ends at values "
            f"that no {bits} bits hold; use a power of two from {2.0 ** (1 - bits):g} to 1"
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
        quantizer = node.get_attr("activation_quantizer")
        if not isinstance(quantizer, dict) or not quantizer["config"].get("negative_slope"):
            continue
        integer = _sloped_type(quantizer["config"]).integer
        source, read = node.get_input_node(), _input_type(node)
        if read is not None and (not read.signed or read.integer <= integer):
            continue
        readers = [reader.name for reader in source.get_output_nodes()]
        alone = readers == [node.name] and not set(source.outputs) & set(graph.outputs)
        casts = source.class_name in _CASTING or _is_plain_linear(source)
        settled = False
        if read is not None and alone and casts:
            frac = max(read.frac, 1 - integer)
            to = FixedType(integer + frac, integer, overflow=Overflow.SAT)
            settled = choices.set_precision(source.name, "result", to)
            choices.user.add((source.name, "result"))
        if not settled:
            end = 2.0 ** (integer - 1)
            raise UnsupportedError(
                f"{origin}: layer '{node.name}': its slope ends at an input of {-end:g}, which "
                f"layer '{source.name}' goes below; have it read a Dense, a convolution or a sum "
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
        elif node.class_name in _BINARY_SUMS:
            changed |= _refine_binary_sum(node, choices)
        elif "Pooling" in node.class_name:
            changed |= _refine_pooling(node, choices)
        elif node.class_name.startswith("Cropping") or _is_plain_linear(node):
            changed |= _keep_type(node, choices)
        elif node.class_name == "Embedding":
            changed |= _refine_embedding(node, choices)
        elif node.class_name == "Dot":
            # hls4ml infers the result, which holds every sum, but not the type of the sum.
            result = fixed_type(node.get_output_variable().type.precision)
            changed |= result is not None and choices.set_precision(node.name, "accum", result)
        elif node.class_name == "Merge" and node.get_attr("op") == "average":
            changed |= _refine_average(node, choices)
        elif node.class_name == "ParametrizedActivation" and (
            node.get_attr("activation", "").lower() == "thresholdedrelu"
        ):
            # hls4ml takes the input's type, in which the threshold may wrap.
            threshold = np.array([node.get_attr("activ_param")], np.float64)
            changed |= choices.set_precision(node.name, "param", widened(threshold, default))
    return changed


def _is_plain_linear(node: Any) -> bool:
    """Whether a layer does nothing but cast, to a type that no quantizer names."""
    return (
        node.class_name == "Activation"
        and node.get_attr("activation") == "linear"
        and node.get_attr("activation_quantizer") is None
    )


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


def _refine_binary_sum(node: Any, choices: Choices) -> bool:
    """Types for the sum over binary weights, which hls4ml does not infer.

    Every weight is 1 or -1, so that the sum of n inputs grows by log2(n) bits and has as many
    fraction bits as the finer of input and bias.
    """
    from hls4ml.model.types import XnorPrecisionType

    inputs = _input_type(node)
    bias = fixed_type(node.weights["bias"].type.precision)
    weight = node.weights["weight"]
    is_binary = isinstance(weight.type.precision, XnorPrecisionType)
    if not is_binary or inputs is None or bias is None:
        return False
    terms = weight.data.size // node.weights["bias"].data.size
    grown = inputs.integer + (terms - 1).bit_length() + 1
    # One more bit for the bias, and one for its sign or the input's.
    integer = max(grown, bias.integer + 1) + 1
    frac = max(inputs.frac, bias.frac)
    to = FixedType(integer + frac, integer)
    changed = choices.set_precision(node.name, "accum", to)
    return choices.set_precision(node.name, "result", to) or changed


def _input_type(node: Any) -> FixedType | None:
    return fixed_type(node.get_input_variable().type.precision)


def _keep_type(node: Any, choices: Choices) -> bool:
    """The input's type for a result whose values are those of the input."""
    inputs = _input_type(node)
    return inputs is not None and choices.set_precision(node.name, "result", inputs)


def _refine_pooling(node: Any, choices: Choices) -> bool:
    """Types for the sum and the mean of a window; hls4ml cuts the mean to the input's type.

    A mean over n values has log2(n) more fraction bits than they: exact where n is a power of two.
    """
    inputs = _input_type(node)
    if inputs is None:
        return False
    accum = result = FixedType(inputs.width, inputs.integer, inputs.signed)
    if node.get_attr("pool_op").lower() == "average":
        is_global = node.class_name.startswith("Global")
        sides = ["in_height", "in_width", "n_in"] if is_global else ["pool_height", "pool_width"]
        grow = (math.prod(int(node.get_attr(side, 1)) for side in sides) - 1).bit_length()
        accum = replace(accum, width=inputs.width + 2 * grow, integer=inputs.integer + grow)
        result = replace(result, width=inputs.width + grow)
    elif not node.class_name.startswith("Global"):
        return False
    changed = choices.set_precision(node.name, "accum", accum)
    return choices.set_precision(node.name, "result", result) or changed


def _refine_embedding(node: Any, choices: Choices) -> bool:
    """Embeddings come out as they are; what goes in counts the rows of the table."""
    table = fixed_type(node.weights["embeddings"].type.precision)
    changed = table is not None and choices.set_precision(node.name, "result", table)
    source = node.get_input_node()
    if source.class_name == "Input":
        bits = max((int(node.get_attr("vocab_size")) - 1).bit_length(), 1)
        changed |= choices.set_precision(source.name, "result", FixedType(bits, bits, False))
    return changed


def _refine_average(node: Any, choices: Choices) -> bool:
    """One more fraction bit for half a sum; hls4ml cuts it off."""
    first, second = (
        fixed_type(node.get_input_variable(name).type.precision) for name in node.inputs
    )
    if first is None or second is None:
        return False
    signed = first.signed or second.signed
    integer = max(to.integer + (signed and not to.signed) for to in (first, second))
    frac = max(first.frac, second.frac) + 1
    return choices.set_precision(node.name, "result", FixedType(integer + frac, integer, signed))


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
