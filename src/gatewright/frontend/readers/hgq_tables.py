"""The numbers of HGQ2's quantizers, and tables of functions between two of them.

Source of the formulas: hgq/quantizer/internal/fixed_point_quantizer.py and hgq/layers of HGQ2 0.2,
and the package `quantizers` 1.2 below it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError

Values = NDArray[Any]

#: Most bits of a table's input.
_MOST_BITS: Final = 16
#: Error of a framework's float32 functions, as a fraction of the argument or of the result.
_FLOAT32: Final = 2.0**-20


@dataclass(frozen=True)
class Widths:
    """The widths of a quantizer.

    Attributes:
        signed: 1 where numbers may be negative; in a shape that broadcasts with the values.
        integers: Bits before the binary point, without the sign.
        fraction: Bits after it.
        rounding: "TRN", "RND" or "RND_CONV".
        overflow: "WRAP", "SAT" or "SAT_SYM".
        is_weight: Whether what it quantizes is constant.
    """

    signed: Values
    integers: Values
    fraction: Values
    rounding: str
    overflow: str
    is_weight: bool

    @property
    def bits(self) -> Values:
        """All bits of a number, the sign included; 0 where all numbers are 0."""
        found: Values = np.maximum(self.signed + self.integers + self.fraction, 0)
        if self.overflow == "SAT_SYM":  # a sign alone has no number but 0
            found = np.where(self.signed & (found == 1), 0, found)
        return found

    def quantized(self, values: Values) -> Values:
        """The values as the quantizer gives them, float32 as HGQ2 computes."""
        scale = np.exp2(self.fraction, dtype=np.float32)
        integers = np.maximum(self.integers, -self.fraction).astype(np.float32)
        unit = np.float32(1) / scale
        x: Values = values.astype(np.float32)
        limit = np.exp2(integers)
        if self.overflow != "WRAP":
            low = -limit if self.overflow == "SAT" else unit - limit
            x = np.clip(x, low * self.signed, limit - unit)
        x = x * scale
        if self.rounding == "RND":
            x = np.floor(x + np.float32(0.5))
        else:
            x = np.floor(x) if self.rounding == "TRN" else np.round(x)
        x = x / scale
        if self.overflow == "WRAP":
            if self.is_weight:  # trained so that no weight wraps
                return np.asarray(x, np.float32)
            wide = np.exp2(integers + self.signed)
            bias = self.signed * wide / 2
            x = (x + bias) % wide - bias
        return np.asarray(np.where(self.bits > 0, x, 0), np.float32)

    @property
    def is_uniform(self) -> bool:
        """Whether all elements have the same width."""
        parts = (self.signed, self.integers, self.fraction)
        return all(np.unique(part).size == 1 for part in parts)

    @property
    def covering(self) -> Widths:
        """The narrowest width for all elements that holds every number of each; of no axes.

        Raises:
            UnsupportedError: if no element has any bits.
        """
        used = self.bits > 0
        if not used.any():
            raise UnsupportedError("a quantizer whose numbers are all 0 is not supported here")
        signed, integers, fraction = (
            np.asarray(np.broadcast_to(part, used.shape)[used].max())
            for part in (self.signed, self.integers, self.fraction)
        )
        return Widths(signed, integers, fraction, self.rounding, self.overflow, self.is_weight)

    @property
    def kif(self) -> list[int]:
        """Sign, integer and fractional bits of a uniform width."""
        parts = (self.signed, self.integers, self.fraction)
        return [int(np.ravel(part)[0]) for part in parts]


def _sigmoid(x: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-x)))


def _gelu(x: Values) -> Values:
    return np.asarray(0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


def _selu(x: Values) -> Values:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return np.asarray(scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


#: Keras' functions of one number, by name.
FUNCTIONS: Final[dict[str, Callable[[Values], Values]]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "exponential": np.exp,
    "gelu": _gelu,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "linear": lambda x: x,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
}


@dataclass(frozen=True)
class Table:
    """A function's values for all numbers of a type.

    Attributes:
        entries: float32, by the number's bits: those of negative numbers last.
        kif: Sign, integer and fractional bits of the entries.
        doubtful: How many entries may be a step away in the framework, whose float32 functions
            are not exact: their values are as good as on a rounding limit.
    """

    entries: Values
    kif: list[int]
    doubtful: int


def table_of(function: Callable[[Values], Values], source: Widths, to: Widths) -> Table:
    """The table of a function between two quantizers.

    Args:
        function: The function, of float64.
        source: The width of its argument, the same for all elements.
        to: The width of its result, the same for all elements.

    Raises:
        UnsupportedError: if a width is not uniform, has no bits, or makes the table too large.
    """
    if not (source.is_uniform and to.is_uniform):
        raise UnsupportedError(
            "a table for each element is not supported; "
            "train with allow_heterogeneous_table=False, and results of one width"
        )
    signed, _, fraction = source.covering.kif
    bits = int(source.covering.bits)
    if bits > _MOST_BITS:
        raise UnsupportedError(f"a table of 2^{bits} entries; up to 2^{_MOST_BITS} are supported")
    words = np.arange(1 << bits)
    numbers = np.where(signed * (words >> (bits - 1)) > 0, words - (1 << bits), words)
    x = numbers * 2.0**-fraction
    result = to.covering
    exact = function(x)
    # Beyond the rounding limits of the type nothing is in doubt.
    steps = exact * 2.0 ** int(result.fraction)
    offset = 0.0 if result.rounding == "TRN" else 0.5
    distance = np.abs(steps - offset - np.round(steps - offset))
    error = _FLOAT32 * np.maximum(np.abs(exact), np.abs(x)) * 2.0 ** int(result.fraction)
    inside = np.abs(exact) <= 2.0 ** (int(result.integers) + 1)
    doubtful = int(((distance > 0) & (distance <= error) & inside).sum())
    return Table(result.quantized(exact.astype(np.float32)), result.kif, doubtful)
