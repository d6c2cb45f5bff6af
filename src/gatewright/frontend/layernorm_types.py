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

#: Entries of the table, and bits of an index.
_ENTRIES, _INDEX_BITS = 1024, 11
#: Significant bits of the inverse root at the table's end, where values are far smaller as a rule:
#: as wanted, and at least.
_TABLE_BITS, _LEAST_TABLE_BITS = 12, 4
#: Fraction bits of sums that come before more bits of the table.
_LEAST_SUM_BITS = 14
#: Fraction bits of the mean beyond the input's; those of epsilon beyond its first.
_GUARD_BITS, _EPSILON_BITS = 2, 5


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
    root = math.floor(math.log2(given.epsilon**-0.5)) + 2
    largest = max(size * x.largest, size * variance, (high - low) ** 2, variance + 1)
    integer = math.frexp(largest)[1] + 1
    epsilon_bits, end = math.ceil(-math.log2(given.epsilon)), (reach + 1) // 2
    mean_bits = inputs.frac + (size - 1).bit_length() + _GUARD_BITS
    frac, entry = _shared(
        WORD_BITS - 1 - scale.width - integer - root,
        (max(mean_bits, epsilon_bits + _EPSILON_BITS), _LEAST_SUM_BITS),
        (end + _TABLE_BITS, end + _LEAST_TABLE_BITS),
    )
    frac = min(frac, WORD_BITS // 2 - 1 - integer, WORD_BITS - 2 - _INDEX_BITS - integer)
    table = FixedType(root + max(entry, 1), root, False, Rounding.RND, Overflow.SAT)
    changed |= choices.set_precision(name, "table", table)
    if frac > 0:
        to = FixedType(integer + frac, integer)
        changed |= choices.set_precision(name, "accum", to)
    return changed


def _shared(room: int, sums: tuple[int, int], table: tuple[int, int]) -> tuple[int, int]:
    """Fraction bits of the sums and of the table's entries, which are multiplied.

    Args:
        room: The number of bits for both.
        sums: The wanted number, and the number that has the precedence over the table's.
        table: The wanted number, and the least that is useful.
    """
    frac, entry = sums[0], table[0]
    frac = max(min(frac, room - entry), min(frac, sums[1]))
    entry = max(min(entry, room - frac), table[1])
    return min(frac, room - entry), entry
