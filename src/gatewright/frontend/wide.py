"""Narrows the inputs of layers whose exact sums would be too wide.

In a chain of layers without activations, each sum has the fraction bits of all layers before it.
The golden model computes with 62 bits. If a layer needs more, its input gets a type from its range:
the integer bits that hold the range, and fraction bits up to a width of 24 bits, but at least the
default's. It rounds to nearest and saturates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding
from gatewright.frontend.folding import owner
from gatewright.frontend.precision import Choices, is_plain_linear
from gatewright.frontend.ranges import Interval, Ranges, ranged_type
from gatewright.hlsgraph import activation, families, garnet, image, tensor, weights
from gatewright.hlsgraph.image import pooled_pixels
from gatewright.hlsgraph.node import read_channels, read_types, result_type, words_or_none

#: Usual width of a narrowed result in bits, and greatest width if its range needs more.
_BITS, _MOST_BITS = 24, 31
#: Functions that hls4ml computes with lookup tables.
_TABLES = ("elu", "selu", "sigmoid", "softplus", "softsign", "tanh")


def narrow(graph: Any, ranges: Ranges, choices: Choices, default: FixedType) -> bool:
    """Narrow results that are too wide for the layers that read them.

    Args:
        graph: hls4ml's ModelGraph after its flow.
        ranges: The ranges of its tensors.
        choices: Receives the types.
        default: The model's default type.

    Returns:
        Whether types changed.
    """
    changed = False
    for node in graph.get_layers():
        if _needs(node) > WORD_BITS:
            for source in {each.name: each for each in _sources(node)}.values():
                to = rounded_type(ranges.free[source.name], default)
                to = replace(to, width=min(to.width, _takes(node)))
                current = result_type(source)
                if current is not None and current.width > to.width:
                    changed |= choices.set_precision(owner(source), "result", to)
    return changed


def rounded_type(interval: Interval, default: FixedType) -> FixedType:
    """The type of a narrowed result with this range: rounded to nearest and saturating."""
    like = replace(default, rounding=Rounding.RND, overflow=Overflow.SAT)
    return ranged_type(interval, like, _BITS, _MOST_BITS)


def room_for_mean(node: Any, inputs: FixedType, grow: int) -> int:
    """The number of fraction bits that the mean of a pooling can have beyond its input's.

    Args:
        node: An average pooling.
        inputs: The type of its input.
        grow: The wanted number, which is also the number of integer bits by which the sum grows.
    """
    more = grow
    while more and _mean_needs(node, inputs.width + grow + more) > WORD_BITS:
        more -= 1
    return more


def _mean_needs(node: Any, width: int) -> int:
    """The width in bits of a sum of `width` bits times the reciprocal of the number of pixels.

    The reciprocal has about as many bits as the sum, or one bit if it is an exact power of two.
    """
    count = pooled_pixels(node)
    exact = count & (count - 1) == 0 and not any(image.pads(node))
    return width + (1 if exact else width + 1)


def _takes(node: Any) -> int:
    """The greatest width in bits of a layer's input that the layer can compute with."""
    if image.is_average(node):
        grow = (pooled_pixels(node) - 1).bit_length()
        return next(
            width
            for width in range(_MOST_BITS, 0, -1)
            if _mean_needs(node, width + grow) <= WORD_BITS or width == 1
        )
    return _MOST_BITS


def _needs(node: Any) -> int:
    """The width in bits of the widest word in a layer's computation, according to its types."""
    inputs = [] if node.class_name == "Input" else read_types(node)
    known = [each for each in inputs if each is not None]
    if not known or len(known) < len(inputs):
        return 0
    first = known[0]
    result = result_type(node)
    width = result.width if result is not None else 0
    if node.class_name in families.SUMS:
        accum = words_or_none(node, "accum")
        # An Einsum adds a product to what is in its accumulator.
        more = int(node.class_name == "Einsum")
        return accum.width + more if accum is not None else 0
    if node.class_name in families.NORMALIZATIONS:
        scale, bias = (weights.type_of(node, name) for name in ("scale", "bias"))
        if scale is None or bias is None:
            return 0
        integer = max(first.integer + scale.integer, bias.integer) + 1
        return integer + max(first.frac + scale.frac, bias.frac)
    if node.class_name == "GarNet":
        given = garnet.garnet(node)
        factors = (weights.type_of(node, what) for what in garnet.FACTORS)
        widths = [to.width for to in factors if to is not None]
        terms = max(given.vertices, read_channels(node))
        return first.width + terms.bit_length() + max(*widths, given.edge.width) + 2
    if node.class_name == "Merge" and tensor.operation(node) == "multiply":
        return sum(each.width for each in known)
    if node.class_name in ("Merge", "Concatenate"):
        return max(each.integer for each in known) + max(each.frac for each in known) + 2
    if activation.function(node) in _TABLES:
        # The index is the input times the number of entries.
        return first.width + activation.table_size(node).bit_length() + 1
    if node.class_name in ("ParametrizedActivation", "PReLU", "HardActivation"):
        types = [words_or_none(node, name) for name in ("param", "slope")]
        return first.width + max((each.width for each in types if each is not None), default=0)
    if node.class_name == "Softmax":
        return first.width + 2
    if image.is_average(node):
        accum = words_or_none(node, "accum")
        return 0 if accum is None else _mean_needs(node, accum.width)
    return width


def _sources(node: Any) -> list[Any]:
    """The layers that compute a layer's inputs, behind layers that only move elements."""
    found = []
    for name in node.inputs:
        source = node.get_input_node(name)
        if source is None:
            continue
        if source.class_name in families.CASTING:
            found.append(source)
        elif source.class_name in families.PASSING or is_plain_linear(source):
            found += _sources(source)
    return found
