"""Chooses the internal types of a layer normalization."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding
from gatewright.frontend.precision import Choices
from gatewright.frontend.ranges import Interval
from gatewright.hlsgraph import weights
from gatewright.hlsgraph.node import read_channels, read_type
from gatewright.hlsgraph.normalization import layer_normalization

#: Entries of the table, and fraction bits of the inverse root of what lies at its end.
_ENTRIES, _TABLE_BITS = 1024, 12
#: Fraction bits of the mean beyond the input's, and of epsilon beyond its first.
_GUARD_BITS = 2
_EPSILON_BITS = 5


def largest_variance(x: Interval, size: int) -> float:
    """The greatest variance that a slice of `size` elements can have.

    It is at most the mean square of distances from any point, and a quarter of the square of the
    range (Popoviciu, 1935).
    """
    low, high = x.whole
    ends = [np.resize(end, size) for end in (x.low, x.high)]
    middle = (ends[0] + ends[1]).mean() / 2
    farthest = np.maximum(np.abs(ends[0] - middle), np.abs(ends[1] - middle))
    return min((high - low) ** 2 / 4, float((farthest**2).mean()))


def refine_layernorm(node: Any, x: Interval, choices: Choices) -> bool:
    """Choose the types, the size and the end of the table, and return whether any changed.

    hls4ml's own accumulator saturates at 8, and its table has three fraction bits. Here sums and
    squares are held, the mean has more fraction bits than the input, and the table ends where the
    greatest variance is that there can be.

    Args:
        node: The layer.
        x: The range of its input.
        choices: Receives the types.
    """
    inputs, scale = read_type(node), weights.type_of(node, "scale")
    if inputs is None or scale is None:
        return False
    name, size, given = node.name, read_channels(node), layer_normalization(node)
    variance, (low, high) = largest_variance(x, size), x.whole
    reach = math.frexp(variance + 2 * given.epsilon)[1]
    changed = choices.set_key(name, "TableRangePower2", -reach)
    changed |= choices.set_key(name, "TableSize", _ENTRIES)
    # The inverse root of epsilon is the greatest value, that of the table's end the least.
    integer = math.floor(math.log2(given.epsilon**-0.5)) + 2
    table = FixedType(
        integer + _TABLE_BITS + (reach + 1) // 2, integer, False, Rounding.RND, Overflow.SAT
    )
    largest = max(size * x.largest, size * variance, (high - low) ** 2, variance + 1)
    integer = math.frexp(largest)[1] + 1
    frac = max(
        inputs.frac + (size - 1).bit_length() + _GUARD_BITS,
        math.ceil(-math.log2(given.epsilon)) + _EPSILON_BITS,
    )
    room = WORD_BITS - 1 - max(table.width + scale.width, _ENTRIES.bit_length() + max(-reach, 0))
    width = min(integer + frac, room, WORD_BITS // 2 - 1)
    changed |= choices.set_precision(name, "table", table)
    if width > integer:
        changed |= choices.set_precision(name, "accum", FixedType(width, integer))
    return changed
