"""Sums of words in an accumulator's type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gatewright.fixed import FixedType, Overflow

if TYPE_CHECKING:
    from gatewright.circuit import Circuit, Word


def total(
    circuit: Circuit,
    words: Sequence[Word],
    accum: FixedType,
    fold: Callable[[Sequence[Word], Callable[[Word, Word], Word]], Word],
) -> Word:
    """The sum of words of an accumulator's type, cast to that type after every addition.

    Args:
        circuit: where the operations go.
        words: what is summed up.
        accum: the type, whose unit the words have.
        fold: applies the addition in the order of the C++.
    """
    ends = [(_raw(w.lo, w, accum), _raw(w.hi, w, accum)) for w in words]
    # No part of a sum is beyond the sums of all that is negative and of all that is positive.
    least, most = sum(min(low, 0) for low, _ in ends), sum(max(high, 0) for _, high in ends)
    fits = accum.lowest <= least and most <= accum.max
    # Where every addition wraps, or all saturate on the same side, one cast at the end does.
    one_sided = least == 0 and accum.overflow is not Overflow.SAT_ZERO
    if fits or one_sided or accum.overflow is Overflow.WRAP:
        return circuit.cast(circuit.sum((1, word) for word in words), accum)
    return fold(words, lambda a, b: circuit.cast(circuit.sum(((1, a), (1, b))), accum))


def _raw(value: int, word: Word, accum: FixedType) -> int:
    """A word's integer in the unit of the accumulator."""
    shift = accum.frac - word.frac
    return value << shift if shift >= 0 else value >> -shift
