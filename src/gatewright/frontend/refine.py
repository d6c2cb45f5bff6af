"""Chooses types that the model leaves open, so that values wrap only on request.

hls4ml infers accumulators and results of sums exactly. Types that it can't infer get the model's
default type, and some values then wrap silently. `refine` inspects a converted graph with its
weights, and chooses better types for the next conversion. docs/semantics.md states the rules.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType
from gatewright.frontend.folding import owner
from gatewright.frontend.garnet_types import refine_garnet
from gatewright.frontend.layernorm_types import refine_layernorm
from gatewright.frontend.precision import (
    Choices,
    fine_type,
    holds,
    is_fine,
    is_plain_linear,
    scale_type,
    widened,
)
from gatewright.frontend.ranges import (
    Interval,
    Ranges,
    find,
    holds_interval,
    ranged_type,
    recurrent_sums,
)
from gatewright.frontend.softmax_types import refine_softmax
from gatewright.frontend.wide import narrow, room_for_mean, rounded_type
from gatewright.hlsgraph import (
    activation,
    families,
    fixed_type,
    image,
    is_sign,
    recurrent,
    tensor,
    weights,
)
from gatewright.hlsgraph.node import (
    read_channels,
    read_type,
    read_types,
    result_type,
    words_or_none,
)

#: Activations whose results have their input's type, are signs, or never exceed 6.
_OTHERWISE_TYPED = (
    *("linear", "binary_tanh", "ternary_tanh", "sigmoid", "tanh", "hard_sigmoid", "hard_tanh"),
    *("softsign", "relu1", "relu6"),
)
#: The default type stays if the largest value of a tensor has this many significant bits in it.
_LEAST_BITS = 12
#: Greatest width of an activation that is wider than the default: an operand of a DSP.
_MOST_BITS = 26
#: Greatest width of the sums of a recurrent layer, which multiply the entries of its tables.
_MOST_SUM_BITS = 40
#: Largest relative error of a result from rounding its weights, without and with calibration data.
_MOST_ERROR, _MEASURED_ERROR = 2.0**-8, 2.0**-10
#: Largest ratio of the last bit of a bias to the sum that it is added to.
_BIAS_ERROR = 2.0**-10


@dataclass(frozen=True)
class Request:
    """The user's request for the types of a graph.

    Attributes:
        default: The model's default type.
        to_the_letter: Whether the user set the default type; it then applies whatever the ranges.
        set_by_user: Types that the user set, as (layer, type's name).
        measured: Ranges of nodes on calibration data; None without such data.
    """

    default: FixedType
    to_the_letter: bool = False
    set_by_user: Collection[tuple[str, str]] = ()
    measured: Mapping[str, Interval] | None = None


def refine(graph: Any, choices: Choices, request: Request) -> bool:
    """Choose the types that a converted graph leaves open.

    Args:
        graph: hls4ml's ModelGraph after its flow.
        choices: Receives the types.
        request: The user's request.

    Returns:
        Whether types changed, so that another conversion is needed.
    """
    default = request.default
    ranges = ranges_of(graph, choices, request)
    changed = False
    for node in graph.get_layers():
        for what, variable in node.weights.items():
            reach = ranges.free[node.name].largest
            changed |= _refine_weight(node, what, variable, choices, request, reach)
        if is_open(node, choices, request):
            to = activation_type(ranges.free[node.name], default)
            changed |= choices.set_precision(node.name, "result", to)
        if node.class_name == "Softmax":
            changed |= refine_softmax(node, choices)
        elif node.class_name in families.RECURRENT:
            changed |= _refine_recurrent(node, ranges, choices)
        elif node.class_name == "LayerNormalization":
            source = ranges.held[node.get_input_node().name]
            changed |= refine_layernorm(node, source, choices)
        elif node.class_name == "GarNet":
            error = _MEASURED_ERROR if request.measured is not None else _MOST_ERROR
            changed |= refine_garnet(node, ranges, choices, default, error)
        elif node.class_name in families.MATRICES:
            changed |= _refine_binary_sum(node, choices)
        elif node.class_name in (*families.POOLINGS, *families.GLOBAL_POOLINGS):
            changed |= _refine_pooling(node, choices)
        elif node.class_name in families.CROPPINGS or is_plain_linear(node):
            changed |= _keep_type(node, choices)
        elif node.class_name == "Embedding":
            changed |= _refine_embedding(node, choices)
        elif node.class_name == "Dot":
            # hls4ml infers the result's type, which holds every sum, but not the accumulator's.
            result = result_type(node)
            changed |= result is not None and choices.set_precision(node.name, "accum", result)
        elif node.class_name == "Einsum":
            changed |= _refine_einsum(node, choices)
        elif node.class_name == "Merge" and tensor.operation(node) == "average":
            changed |= _refine_average(node, choices)
        elif activation.parametrized(node) == "thresholdedrelu":
            # hls4ml uses the input's type, in which the threshold may wrap.
            threshold = np.array([activation.parameter(node)])
            changed |= choices.set_precision(node.name, "param", widened(threshold, default))
    return narrow(graph, ranges, choices, default) or changed


def ranges_of(graph: Any, choices: Choices, request: Request) -> Ranges:
    """The ranges of a graph's tensors, with the types that `refine` chooses.

    Args:
        graph: hls4ml's ModelGraph after its flow.
        choices: The types chosen so far.
        request: The user's request.
    """

    def typed(node: Any, free: Interval) -> FixedType | None:
        if is_open(node, choices, request):
            return activation_type(free, request.default)
        if node.class_name in families.CASTING and choices.chose_result(owner(node)):
            return rounded_type(free, request.default)
        return result_type(node)

    return find(graph, typed, request.measured)


def is_open(node: Any, choices: Choices, request: Request) -> bool:
    """Whether the type of a node's result follows from its range.

    That is so for activations and for layers of `TYPED_BY_RANGE`, whose type neither the user nor
    a quantizer sets.
    """
    if request.to_the_letter or (node.name, "result") in choices.user:
        return False
    if node.class_name in families.TYPED_BY_RANGE:
        return True
    if activation.quantizer(node) is not None or node.class_name not in families.ACTIVATIONS:
        return False
    return activation.function(node) not in _OTHERWISE_TYPED


def activation_type(interval: Interval, default: FixedType) -> FixedType:
    """The type of an activation with this range.

    It is the default type, unless that doesn't hold the range or leaves it few significant bits.
    """
    largest = interval.largest
    if not largest or (
        holds_interval(default, interval) and largest >= 2.0 ** (_LEAST_BITS - default.frac)
    ):
        return default
    return ranged_type(interval, default, default.width, _MOST_BITS)


def _refine_weight(
    node: Any, what: str, variable: Any, choices: Choices, request: Request, reach: float
) -> bool:
    default = request.default
    current = fixed_type(variable.type.precision)
    values = np.asarray(variable.data, np.float64)
    if current is None or (node.name, what) in choices.user or values.size == 0:
        return False
    if variable.quantizer is not None or node.class_name == "GarNet":  # see `refine_garnet`
        return False
    if what == "scale":
        return choices.set_precision(node.name, what, scale_type(values, default))
    if what == "param":
        return choices.set_precision(node.name, what, widened(values, default))
    to = current if holds(values, current) else widened(values, current)
    columns = columns_of(node, what, values)
    if columns is not None and not request.to_the_letter:
        # How fine a bias must be depends on the sum that it is added to.
        matters = not what.endswith("bias") or math.ldexp(1, -to.frac) > _BIAS_ERROR * reach
        error = _MEASURED_ERROR if request.measured is not None else _MOST_ERROR
        if matters and not is_fine(columns, to, error):
            to = fine_type(columns, default, error)
    return to != current and choices.set_precision(node.name, what, to)


def columns_of(node: Any, what: str, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights in the shape (terms, results); None if their rounding isn't to be checked."""
    if what.endswith("bias") or what == "embeddings":
        return values.reshape(-1, 1)
    if not what.endswith("weight"):
        return None
    if node.class_name in families.DEPTHWISE:
        return values.reshape(-1, read_channels(node))
    matrix = weights.matrix(node, what)
    return None if matrix is None else matrix.reshape(-1, matrix.shape[-1])


def _refine_binary_sum(node: Any, choices: Choices) -> bool:
    """Choose the types of a sum over binary weights, which hls4ml doesn't infer.

    Every weight is 1 or -1. So the sum of n inputs needs log2(n) more integer bits than an input,
    and the fraction bits of the input or the bias, whichever has more.
    """
    of_signs = is_sign(node.get_input_variable().type.precision)
    inputs = FixedType(1, 1) if of_signs else read_type(node)
    bias = weights.type_of(node, "bias")
    is_binary = is_sign(node.weights["weight"].type.precision)
    if not is_binary or inputs is None or bias is None:
        return False
    terms = weights.terms(node)
    if of_signs:
        # The C++ counts agreements. A type that holds twice their number stays as it is.
        current = words_or_none(node, "accum")
        if current is None or current.max >> current.frac > 2 * terms:
            return False
    grown = inputs.integer + (terms - 1).bit_length() + 1
    # One more bit for the bias, and one for its sign or the input's.
    integer = max(grown, bias.integer + 1) + 1
    frac = max(inputs.frac, bias.frac)
    to = FixedType(integer + frac, integer)
    changed = choices.set_precision(node.name, "accum", to)
    return choices.set_precision(node.name, "result", to) or changed


def _keep_type(node: Any, choices: Choices) -> bool:
    """Choose the input's type for a result that has the input's values."""
    inputs = read_type(node)
    return inputs is not None and choices.set_precision(node.name, "result", inputs)


def _refine_pooling(node: Any, choices: Choices) -> bool:
    """Choose the types of the sum and the result of a pooling.

    hls4ml would truncate a mean to the input's type. Here the mean of n values gets log2(n) more
    fraction bits, which is exact if n is a power of two.
    """
    inputs = read_type(node)
    if inputs is None:
        return False
    accum = result = FixedType(inputs.width, inputs.integer, inputs.signed)
    if image.is_average(node):
        grow = (image.pooled_pixels(node) - 1).bit_length()
        more = room_for_mean(node, inputs, grow)
        integer = inputs.integer + grow
        accum = replace(accum, width=integer + inputs.frac + more, integer=integer)
        result = replace(result, width=inputs.width + more)
    elif node.class_name not in families.GLOBAL_POOLINGS:
        return False
    changed = choices.set_precision(node.name, "accum", accum)
    return choices.set_precision(node.name, "result", result) or changed


def _refine_embedding(node: Any, choices: Choices) -> bool:
    """Choose the types of an embedding: its table's, and for its input one that holds an index."""
    table = weights.type_of(node, "embeddings")
    changed = table is not None and choices.set_precision(node.name, "result", table)
    source = node.get_input_node()
    if source.class_name == "Input":
        bits = max((tensor.vocabulary(node) - 1).bit_length(), 1)
        changed |= choices.set_precision(source.name, "result", FixedType(bits, bits, False))
    return changed


def _refine_recurrent(node: Any, ranges: Ranges, choices: Choices) -> bool:
    """Choose the type of a recurrent layer's sums, which hls4ml leaves at the model's default.

    It holds the range of all sums, with the fraction bits of the products and the tables, so that
    no product is rounded by itself.
    """
    inputs, result = read_type(node), result_type(node)
    factors = [weights.type_of(node, f"{prefix}weight") for prefix in ("", "recurrent_")]
    biases = [weights.type_of(node, f"{prefix}bias") for prefix in ("", "recurrent_")]
    if inputs is None or result is None:
        return False
    fracs = [recurrent.functions(node).table_type.frac]
    for operand, factor, bias in zip((inputs, result), factors, biases, strict=True):
        if factor is None or bias is None:
            return False
        fracs += [operand.frac + factor.frac, bias.frac]
    source = node.get_input_node()
    reach = recurrent_sums(node, ranges.held[source.name], ranges.held[node.name]).largest
    integer = math.frexp(reach)[1] + 1
    width = min(integer + max(fracs), _MOST_SUM_BITS)
    return choices.set_precision(node.name, "accum", FixedType(width, integer))


def _refine_einsum(node: Any, choices: Choices) -> bool:
    """Choose the types of a sum of products of two tensors, which hls4ml doesn't infer: exact."""
    first, second = read_types(node)
    if first is None or second is None:
        return False
    integer = first.integer + second.integer + (tensor.einsum(node).summed - 1).bit_length()
    to = FixedType(
        integer + first.frac + second.frac, integer, signed=first.signed or second.signed
    )
    changed = choices.set_precision(node.name, "accum", to)
    if choices.chose_result(node.name):  # once, as what reads it may need a narrower one
        return changed
    return choices.set_precision(node.name, "result", to) or changed


def _refine_average(node: Any, choices: Choices) -> bool:
    """Choose the type of an average of two tensors: one more fraction bit, which hls4ml lacks."""
    first, second = read_types(node)
    if first is None or second is None:
        return False
    signed = first.signed or second.signed
    integer = max(to.integer + (signed and not to.signed) for to in (first, second))
    frac = max(first.frac, second.frac) + 1
    return choices.set_precision(node.name, "result", FixedType(integer + frac, integer, signed))
