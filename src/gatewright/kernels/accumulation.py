"""Sums of words in an accumulator's type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding

if TYPE_CHECKING:
    from gatewright.circuit import Circuit, Word

#: Roundings that move along with a whole number that is added before them.
_EVEN_STEPS: Final = (Rounding.TRN, Rounding.RND, Rounding.RND_MIN_INF)


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


def in_order(words: Sequence[Word], add: Callable[[Word, Word], Word]) -> Word:
    """A sum from the first word to the last."""
    return reduce(add, words)


def running_total(circuit: Circuit, words: Sequence[Word], accum: FixedType) -> Word:
    """The sum of words of any unit, cast to the accumulator's type after every addition, in order.

    Args:
        circuit: where the operations go.
        words: what is summed up, exact.
        accum: the type.
    """
    first = circuit.cast(words[0], accum)
    if accum.rounding in _EVEN_STEPS:
        wide = FixedType(WORD_BITS, WORD_BITS - accum.frac, True, accum.rounding)
        rounded = [circuit.cast(word, wide) for word in words[1:]]
        return total(circuit, [first, *rounded], accum, in_order)
    return in_order(
        [first, *words[1:]],
        lambda a, b: circuit.cast(circuit.sum(((1, a), (1, b))), accum),
    )


def _raw(value: int, word: Word, accum: FixedType) -> int:
    """A word's integer in the unit of the accumulator."""
    shift = accum.frac - word.frac
    return value << shift if shift >= 0 else value >> -shift
