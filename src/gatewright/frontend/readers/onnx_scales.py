"""Scales that are no powers of two: what a layer's numbers mean, and step functions of them.

A QONNX quantizer divides by its scale and rounds. Where that scale is no power of two, layers hold
whole steps, and the scale stays with the reader as the steps' unit. Weighted sums multiply units;
biases and normalizations add offsets. The next quantizer is then a step function of integers in a
known range, so there is a multiplication and an addition of short constants with the same steps.
They are found by comparing all steps, so nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

#: Most bits of a constant: float32, in which networks hold their weights, holds so many.
_MOST_BITS = 24
#: Most steps of a quantizer, all channels together.
_MOST_STEPS = 1 << 22
#: Error of sums in float32, of their magnitude.
_FLOAT_ERROR = 2.0**-20
#: Largest magnitude of the integers, so that products by constants stay within int64.
_LARGEST = 1 << 36


class NoAffine(Exception):
    """No affine function of short constants has the steps; the text says why."""


@dataclass(frozen=True)
class Meaning:
    """What the numbers x of a layer stand for: unit * x + offset.

    Attributes:
        unit: The unit, for each channel or one for all; never 0.
        offset: The offset, in the same way.
        of_quantizer: Whether part of it is a quantizer's scale, which can't be rounded.
    """

    unit: Values
    offset: Values
    of_quantizer: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the numbers are the values."""
        return bool((self.unit == 1).all() and (self.offset == 0).all())

    @property
    def is_uniform(self) -> bool:
        """Whether all channels mean the same."""
        return self.unit.size == self.offset.size == 1

    def times(self, factor: Values, *, of_quantizer: bool = False) -> Meaning:
        """The meaning of the values times a factor."""
        return Meaning(self.unit * factor, self.offset * factor, of_quantizer or self.of_quantizer)

    def plus(self, offset: Values) -> Meaning:
        """The meaning of the values plus an offset."""
        return Meaning(self.unit, self.offset + offset, self.of_quantizer)

    def same_as(self, other: Meaning) -> bool:
        """Whether both mean the same."""
        return np.array_equal(self.unit, other.unit) and np.array_equal(self.offset, other.offset)


PLAIN = Meaning(np.ones(1), np.zeros(1))


@dataclass(frozen=True)
class Steps:
    """What numbers a layer can give: n * 2**-frac with low <= n <= high.

    Attributes:
        low: The least n, int64, for each channel or one for all.
        high: The greatest n.
        frac: Fractional bits.
    """

    low: Values
    high: Values
    frac: int

    @property
    def uniform(self) -> Steps:
        """The same for all channels."""
        return Steps(self.low.min(keepdims=True), self.high.max(keepdims=True), self.frac)

    @property
    def with_zero(self) -> Steps:
        """The same numbers and zero."""
        return Steps(np.minimum(self.low, 0), np.maximum(self.high, 0), self.frac)

    def at(self, frac: int) -> Steps:
        """The same numbers with more fractional bits."""
        return Steps(self.low << (frac - self.frac), self.high << (frac - self.frac), frac)


@dataclass(frozen=True)
class Affine:
    """An affine function of the numbers of a layer.

    Attributes:
        scale: Factor of each channel, a dyadic fraction.
        offset: Summand of each channel, in the same way.
        near: Whether some value is so near to where rounding changes that float32 may round it
            to another step than float64, in which steps are compared.
    """

    scale: Values
    offset: Values
    near: bool


def weighted(steps: Steps, weights: Values, frac: int) -> Steps | None:
    """The steps of sums over the first axis of weights * 2**-frac; None if they are too large.

    Args:
        steps: Of the factors: for each row of `weights`, or one for all.
        weights: Integers of shape (terms, results).
        frac: Fractional bits of the weights.
    """
    rows = np.asarray(weights, np.float64)
    low, high = (
        np.broadcast_to(each, len(rows)).astype(np.float64) for each in (steps.low, steps.high)
    )
    up, down = np.maximum(rows, 0), np.minimum(rows, 0)
    least, most = low @ up + high @ down, high @ up + low @ down
    if max(np.abs(least).max(), np.abs(most).max()) > _LARGEST:
        return None
    return Steps(least.astype(np.int64), most.astype(np.int64), steps.frac + frac)


def affine_steps(
    meaning: Meaning,
    steps: Steps,
    step: Callable[[Values], Values],
    scale: Values,
    limits: tuple[int, int],
    gain: float = 1.0,
    *,
    ties: bool = True,
) -> Affine:
    """An affine function that rounds, half to even, to what a quantizer gives.

    Args:
        meaning: Of the layer's numbers.
        steps: The numbers that it can give.
        step: The whole number that the quantizer gives for values over its scale; ascending.
        scale: The quantizer's scale, for each channel or one for all.
        limits: The least and the greatest number that the quantizer's result is cut to.
        gain: How much that number grows, about, where the value over the scale does by 1.
        ties: Whether the function may lie in the middle between two numbers, where it rounds right.

    Raises:
        NoAffine: if there is none with constants of at most 24 bits.
    """
    fields = (meaning.unit / scale, meaning.offset / scale, steps.low, steps.high)
    channels = max(each.size for each in fields)
    units, offsets, lows, highs = (np.broadcast_to(each, channels) for each in fields)
    unit = 2.0**-steps.frac
    found = [
        _channel(_Line(u * unit, o, int(low), int(high), gain, ties), step, limits)
        for u, o, low, high in zip(units, offsets, lows, highs, strict=True)
    ]
    scales = np.array([each.scale for each in found]) / unit
    return Affine(
        scales, np.array([each.offset for each in found]), any(each.near for each in found)
    )


@dataclass(frozen=True)
class _Line:
    """The values a * n + b for low <= n <= high of one channel, over the scale.

    Gain and ties are as for `affine_steps`.
    """

    a: float
    b: float
    low: int
    high: int
    gain: float
    ties: bool


@dataclass(frozen=True)
class _Found:
    scale: float
    offset: float
    near: bool


def _channel(line: _Line, step: Callable[[Values], Values], limits: tuple[int, int]) -> _Found:
    if line.a < 0:
        mirrored = replace(line, a=-line.a, low=-line.high, high=-line.low)
        found = _channel(mirrored, step, limits)
        return _Found(-found.scale, found.offset, found.near)
    if max(abs(line.low), abs(line.high)) > _LARGEST:
        raise NoAffine("the sums before it are too large")

    def value(n: Values) -> Values:
        return line.a * n.astype(np.float64) + line.b

    ends = step(value(np.array([line.low, line.high])))
    first, last = int(ends[0]), int(ends[1])
    if first == last:
        return _Found(0.0, float(first), near=False)
    if last - first > _MOST_STEPS:
        raise NoAffine(f"it has {last - first:,} steps")
    k = np.arange(first + 1, last + 1)
    begin = _first_of_step(k, line, lambda n: step(value(n)))
    above, below = (_across(value(n), k, step) for n in (begin, begin - 1))
    try:
        scale, offset = _fit(line, k, begin, begin - 1, (first, last), limits)
    except NoAffine:
        if not (above.any() or below.any()):
            raise
        # Steps that hang on the last bits of float64 may begin a number earlier or later.
        scale, offset = _fit(line, k, begin + above, begin - 1 - below, (first, last), limits)
    return _Found(scale, offset, near=bool(above.any() or below.any()))


def _across(values: Values, k: Values, step: Callable[[Values], Values]) -> Values:
    """Whether an error of float32 takes values to the other side of where step k begins."""
    error = _FLOAT_ERROR * np.maximum(np.abs(values), 1)
    tie = (2 * values) % 1 == 0  # which float32 has as well
    found: Values = ((step(values - error) < k) != (step(values + error) < k)) & ~tie
    return found


def _fit(
    line: _Line,
    k: Values,
    above: Values,
    below: Values,
    ends: tuple[int, int],
    limits: tuple[int, int],
) -> tuple[float, float]:
    """Constants with which `above` has at least step k, `below` less, and the ends no others."""
    # Of a number n with a limit k: 2 * (a * n + b) must be more, or less, than k.
    lower = [(np.minimum(above, line.high), 2 * k - 1)]
    upper = [(np.maximum(below, line.low), 2 * k - 1)]
    if ends[0] > limits[0]:
        lower.append((np.array([line.low]), np.array([2 * ends[0] - 1])))
    if ends[1] < limits[1]:
        upper.append((np.array([line.high]), np.array([2 * ends[1] + 1])))
    low_n, low_k = (np.concatenate(each) for each in zip(*lower, strict=True))
    high_n, high_k = (np.concatenate(each) for each in zip(*upper, strict=True))
    slope = line.a * line.gain
    try:
        return _constants(slope, low_n, low_k, high_n, high_k)
    except NoAffine:
        if not line.ties:
            raise
        # Half to even: j - 1/2 becomes j if j is even, and less if it is odd. A limit is 2 j - 1.
        low_even, high_odd = ((low_k + 1) // 2) % 2 == 0, ((high_k + 1) // 2) % 2 == 1
        return _constants(slope, low_n, low_k, high_n, high_k, low_even, high_odd)


def _first_of_step(k: Values, line: _Line, step: Callable[[Values], Values]) -> Values:
    """The least n whose step is at least k, for each k; by bisection."""
    low = np.full(k.shape, line.low, np.int64)
    high = np.full(k.shape, line.high, np.int64)  # the step there is at least k
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = step(middle) >= k
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


def _constants(
    a: float,
    low_n: Values,
    low_k: Values,
    high_n: Values,
    high_k: Values,
    low_reached: Values | bool = False,
    high_reached: Values | bool = False,
) -> tuple[float, float]:
    """The shortest constants with 2 * (a * n + b) > k at lower and < k at upper limits.

    Limits that may be reached are equal to k as well.
    """
    start = int(np.frexp(a)[1])  # a < 2**start
    for bits in range(1, _MOST_BITS + 1):
        p = bits - start  # fractional bits of a factor of so many bits
        whole = np.ldexp(a, p)
        below, above = int(np.floor(whole)), int(np.ceil(whole))
        # Where many values lie in the middle between two steps, only a little more or less fits.
        for factor in dict.fromkeys((round(whole), below, above, below - 1, above + 1)):
            # Twice the sums, in units of 2**-p; p may be negative.
            up, down = max(p, 0), max(-p, 0)
            least = int(((low_k << up) - (2 * factor * low_n << down) - low_reached).max())
            most = int(((high_k << up) - (2 * factor * high_n << down) + high_reached).min())
            offset = _shortest_between(least, most, up + 1)
            if offset is not None:
                return float(np.ldexp(float(factor), -p)), offset
    raise NoAffine(f"no constants of up to {_MOST_BITS} bits have its steps")


def _shortest_between(least: int, most: int, frac: int) -> float | None:
    """The number of the fewest bits between two integers over 2**frac, both excluded."""
    for dropped in range(frac, -1, -1):
        found = (least >> dropped) + 1
        if found << dropped < most:
            if abs(found).bit_length() > _MOST_BITS:
                return None
            return float(np.ldexp(float(found), dropped - frac))
    return None
