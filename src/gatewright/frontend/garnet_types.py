"""Chooses the internal types of a GarNet."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding
from gatewright.frontend.precision import Choices, fine_type, is_fine
from gatewright.frontend.ranges import Ranges, garnet_returns
from gatewright.hlsgraph import weights
from gatewright.hlsgraph.garnet import counted_vertices, counter, garnet
from gatewright.hlsgraph.node import read_type, result_type

#: Fraction bits of sums before they are divided: those of hls4ml's own type.
_LEAST_SUM_BITS = 10
#: Fraction bits of a distance, which hls4ml sets, and most of its factors.
_DISTANCE_BITS, _MOST_FACTOR_BITS = 8, 20
#: Fraction bits of a bias that is added to results of up to 1.
_BIAS_BITS = 10
#: Fraction bits of a norm that is one.
_NORM_BITS = 14


def refine_garnet(
    node: Any, ranges: Ranges, choices: Choices, default: FixedType, error: float
) -> bool:
    """Choose the types of factors, sums and the number of vertices; whether any changed.

    hls4ml's own type of sums holds eight times the number of vertices in a pass, whatever the
    features are, and has ten fraction bits after divisions too. Here it holds every sum, and
    divisions by a power of two lose nothing as far as there are bits. Factors of a distance, which
    have ten fraction bits in hls4ml, have as many as a distance needs; other factors more than ten
    if they are small. The type of a weight stays hls4ml's: ten bits.

    Args:
        node: The layer.
        ranges: The ranges of the graph's tensors.
        choices: Receives the types.
        default: The model's default type.
        error: Largest relative error of what an aggregator returns from rounding its factors.
    """
    source, result, given = read_type(node), result_type(node), garnet(node)
    changed = False
    numbers = counter(node)
    bits = counted_vertices(numbers).bit_length()
    if numbers.class_name == "Input":
        # A greater number than that of all vertices means all, too.
        to = FixedType(bits, bits, False, overflow=Overflow.SAT)
        changed |= choices.set_precision(numbers.name, "result", to)
    if source is None:
        return changed
    all_bits, pass_bits = given.vertices.bit_length() - 1, given.passes.bit_length() - 1
    sums = max(all_bits - pass_bits, pass_bits)
    norm = FixedType(
        all_bits + 1 + _NORM_BITS, all_bits - pass_bits + 1, False, Rounding.RND, Overflow.SAT
    )
    whole = max(given.edge.integer, 0) + sums
    edges = FixedType(whole + given.edge.frac + all_bits, whole, False)
    changed |= _refine_factors(node, ranges, choices, default, error)
    x = ranges.held[node.get_input_node().name]
    bias = float(np.abs(weights.values(node, "output_transform_biases")).max())
    terms = math.prod(weights.values(node, "input_transform_weights").shape[1:])
    largest = max(
        x.largest * 2**sums,
        garnet_returns(node, x).largest,
        bias * given.vertices if given.collapse else 0.0,
    )
    integer = math.frexp(largest)[1] + 1
    factors = (weights.type_of(node, f"input_transform_{what}") for what in ("weights", "biases"))
    widths = [to.width for to in factors if to is not None]
    if given.by_count:
        widths.append(norm.width)
        changed |= choices.set_precision(node.name, "norm", norm)
    room = WORD_BITS - 4 - max(*widths, given.edge.width, bits) - integer
    frac = max(source.frac, _LEAST_SUM_BITS) + all_bits
    if result is not None:  # each term of what is returned is rounded by itself
        frac = max(frac, result.frac + terms.bit_length())
    frac = min(frac, max(room, 1))
    accum = FixedType(integer + frac, integer)
    changed |= choices.set_precision(node.name, "edge_weight_aggr", edges)
    return choices.set_precision(node.name, "aggr", accum) or changed


def _refine_factors(
    node: Any, ranges: Ranges, choices: Choices, default: FixedType, error: float
) -> bool:
    """Choose the types of factors that are too coarse in hls4ml's own; whether any changed."""
    x, result = ranges.held[node.get_input_node().name], ranges.free[node.name]
    # A distance may be off by half its unit from rounding its factors, each by half of theirs.
    distances = weights.values(node, "aggregator_distance_weights")
    factors = _DISTANCE_BITS + _exponent(x.largest * distances.shape[1])
    biases = _BIAS_BITS - _exponent(result.largest)
    least = {
        "aggregator_distance_weights": factors,
        **dict.fromkeys(("input_transform_biases", "output_transform_biases"), biases),
    }
    changed = False
    for what, frac in least.items():
        current, wanted = weights.type_of(node, what), min(frac, _MOST_FACTOR_BITS)
        if current is not None and current.frac < wanted:
            to = replace(current, width=current.integer + wanted)
            changed |= choices.set_precision(node.name, what, to)
    current = weights.type_of(node, "input_transform_weights")
    transform = weights.values(node, "input_transform_weights")
    columns = transform.reshape(len(transform), -1).T
    if current is not None and transform.any() and not is_fine(columns, current, error):
        to = fine_type(columns, default, error)
        changed |= choices.set_precision(node.name, "input_transform_weights", to)
    return changed


def _exponent(largest: float) -> int:
    """The exponent of the least power of two that isn't below a magnitude; 0 for zero."""
    return math.ceil(math.log2(largest)) if largest else 0
