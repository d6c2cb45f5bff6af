"""Fixed-point types and the only cast in Python.

The semantics are those of `ap_fixed` and `ap_ufixed` in the `ap_types` headers that ship with
hls4ml. A value is an integer `raw` (int64) that stands for `raw * 2**-frac`. docs/semantics.md
gives the formulas, and the places where the headers depart from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


#: Largest width of sums and products that the golden model, in int64, computes exactly.
WORD_BITS = 62


class Rounding(StrEnum):
    """Quantization modes of `ap_fixed`: how bits below the least significant one are dropped.

    The order of the members is their number in hardware, see `code`.
    """

    TRN = "TRN"
    TRN_ZERO = "TRN_ZERO"
    RND = "RND"
    RND_ZERO = "RND_ZERO"
    RND_INF = "RND_INF"
    RND_MIN_INF = "RND_MIN_INF"
    RND_CONV = "RND_CONV"

    @property
    def code(self) -> int:
        """The value of gw_cast's parameter `Rounding` for this mode."""
        return list(Rounding).index(self)


class Overflow(StrEnum):
    """Overflow modes of `ap_fixed`: how values out of range are handled.

    The order of the members is their number in hardware, see `code`.
    """

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_ZERO = "SAT_ZERO"
    SAT_SYM = "SAT_SYM"

    @property
    def code(self) -> int:
        """The value of gw_cast's parameter `Overflow` for this mode."""
        return list(Overflow).index(self)


_FIXED = re.compile(
    r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*"
    r"(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*0\s*)?>",
    re.ASCII,
)
_INT = re.compile(r"(?:ap_)?(u?)int<\s*(\d+)\s*>", re.ASCII)

#: Largest width of `ap_fixed` in the headers, and a bound on the distance of the point.
_WIDEST = 1024
_FARTHEST = 4096
_LONGEST = 200  # characters of a type


@dataclass(frozen=True, slots=True)
class FixedType:
    """A fixed-point type: `width` bits, of which `integer` are left of the binary point.

    `integer` includes the sign bit, may be negative and may exceed `width`, as in `ap_fixed`.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    @property
    def frac(self) -> int:
        """Number of bits right of the binary point; the unit of a raw value is 2**-frac."""
        return self.width - self.integer

    @property
    def min(self) -> int:
        """The smallest raw value that the bits can hold."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The largest raw value that the bits can hold."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def lowest(self) -> int:
        """The smallest raw value that a cast can produce: `min`, or its mirror of `max` in SAT_SYM.

        A one-bit signed SAT_SYM saturates to -1, not to -max = 0, in `ap_fixed`.
        """
        if self.overflow is Overflow.SAT_SYM and self.signed and self.width > 1:
            return -self.max
        return self.min

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Parse a type: `fixed<16,6>`, `ap_ufixed<8,0,AP_RND_CONV,AP_SAT>`, `int<8>`, `ap_uint<1>`.

        An integer type rounds towards zero, like `ap_int` when assigned from `ap_fixed`.

        Raises:
            InputError: if the text is not such a type, or the type is too wide.
        """
        text = text.strip()
        if len(text) > _LONGEST:
            raise InputError(
                f"precision '{text[:_LONGEST]}...': not a type, it is {len(text):,} characters long"
            )
        if match := _FIXED.fullmatch(text):
            unsigned, width, integer, rounding, overflow = match.groups()
            try:
                mode = Rounding(rounding or "TRN"), Overflow(overflow or "WRAP")
            except ValueError as error:
                raise InputError(
                    f"precision '{text}': {error}; roundings are {', '.join(Rounding)}, "
                    f"overflows are {', '.join(Overflow)}"
                ) from None
            result = cls(int(width), int(integer), not unsigned, *mode)
        elif match := _INT.fullmatch(text):
            unsigned, width = match.groups()
            result = cls(int(width), int(width), not unsigned, Rounding.TRN_ZERO)
        else:
            raise InputError(
                f"precision {text[:80]!a} is not a fixed-point type; write for example "
                "fixed<16,6>, ufixed<8,0,RND_CONV,SAT> or int<8>"
            )
        if not 1 <= result.width <= _WIDEST:
            raise InputError(f"precision '{text}': the width must be from 1 to {_WIDEST} bits")
        if abs(result.integer) > _FARTHEST:
            raise InputError(
                f"precision '{text}': the integer bits must be from -{_FARTHEST} to {_FARTHEST}"
            )
        return result

    def __str__(self) -> str:
        kind = "fixed" if self.signed else "ufixed"
        if self.overflow is not Overflow.WRAP:
            return f"{kind}<{self.width},{self.integer},{self.rounding},{self.overflow}>"
        if self.rounding is not Rounding.TRN:
            return f"{kind}<{self.width},{self.integer},{self.rounding}>"
        return f"{kind}<{self.width},{self.integer}>"


# Whether a value is rounded up from its floor: raw is the value before rounding, floor the integer
# below it, rest their difference in units where 2*half is one. The comparisons work on Python
# integers and on NumPy arrays, so that there is only one implementation of the cast.
_ROUNDS_UP: Mapping[Rounding, Callable[[Any, Any, Any, int], Any]] = {
    Rounding.TRN_ZERO: lambda raw, floor, rest, half: (raw < 0) & (rest > 0),
    Rounding.RND: lambda raw, floor, rest, half: rest >= half,
    Rounding.RND_ZERO: lambda raw, floor, rest, half: rest > half - (raw < 0),
    Rounding.RND_INF: lambda raw, floor, rest, half: rest > half - (raw >= 0),
    Rounding.RND_MIN_INF: lambda raw, floor, rest, half: rest > half,
    Rounding.RND_CONV: lambda raw, floor, rest, half: rest > half - (floor & 1),
}


def width_of(lo: int, hi: int) -> int:
    """Bits of the narrowest two's complement (lo < 0) or unsigned word that holds [lo, hi]."""
    if lo >= 0:
        return max(1, hi.bit_length())
    return max((-lo - 1).bit_length(), hi.bit_length() if hi > 0 else 0) + 1


def narrowest_type(low: int, high: int, frac: int, *, signed: bool | None = None) -> FixedType:
    """The narrowest type that holds an interval of integers in units of 2**-frac.

    Args:
        low: least integer.
        high: greatest integer.
        frac: fractional bits.
        signed: whether the type is signed; by default if `low` is negative.
    """
    signed = low < 0 if signed is None else signed
    width = width_of(min(low, -1) if signed else low, high)
    return FixedType(width, width - frac, signed)


def _round(raw: Any, shift: int, rounding: Rounding) -> Any:
    """Round raw * 2**-shift to an integer; int or int64 array."""
    if shift <= 0:
        return raw << -shift
    floor = raw >> shift
    if rounding is Rounding.TRN:
        return floor
    rest = raw & ((1 << shift) - 1)
    return floor + _ROUNDS_UP[rounding](raw, floor, rest, 1 << (shift - 1))


def _fit(value: Any, to: FixedType) -> Any:
    """Wrap or saturate the integer `value` to the range of `to`; int or int64 array."""
    if to.overflow is Overflow.WRAP:
        # Sign extension of the kept bits: flip the top one and subtract its weight.
        sign = 1 << (to.width - 1) if to.signed else 0
        return ((value & ((1 << to.width) - 1)) ^ sign) - sign
    low, high = to.lowest, to.max
    if to.overflow is Overflow.SAT_ZERO:
        return value * ((value >= low) & (value <= high))
    if isinstance(value, int):
        return low if value < low else high if value > high else value
    return np.clip(value, low, high)


def cast_int(value: int, frac: int, to: FixedType) -> int:
    """Cast one value, `value * 2**-frac`, to `to`.

    Python integers of any size; the result is in units of `2**-to.frac`.
    """
    return int(_fit(_round(value, frac - to.frac, to.rounding), to))


def cast(raw: NDArray[np.int64], frac: int, to: FixedType) -> NDArray[np.int64]:
    """Cast values `raw * 2**-frac` to `to`, as `ap_fixed` is assigned from another `ap_fixed`.

    Args:
        raw: Integers of any shape, in units of `2**-frac`.
        frac: Fractional bits of `raw`; may be negative.
        to: The type to cast to.

    Returns:
        An int64 array of the same shape, in units of `2**-to.frac`.

    Raises:
        UnsupportedError: if `to` is wider than 63 bits, or `raw` in the unit of `to` overflows
            int64.
    """
    raw = np.asarray(raw, np.int64)
    if to.width > 63:
        raise UnsupportedError(f"cast to {to}: wider than 63 bits, the most that int64 can hold")
    shift = frac - to.frac
    if shift < 0 and raw.size:
        largest = max(int(raw.max()), ~int(raw.min()))
        if largest.bit_length() - shift > 63:
            raise UnsupportedError(
                f"cast to {to}: {largest} * 2**{-frac} in its unit of 2**{-to.frac} "
                "does not fit in int64"
            )
    if shift > 62:
        # A shift by 63 or more is undefined in int64. Of bits so far below the last one kept it
        # only matters whether any is set: combine them in one.
        excess = min(shift - 62, 63)
        raw = (raw >> excess) | ((raw & ((1 << excess) - 1)) != 0)
        shift = 62
    result: NDArray[np.int64] = _fit(_round(raw, shift, to.rounding), to)
    return result


def cast_range(lo: int, hi: int, frac: int, to: FixedType) -> tuple[int, int]:
    """The range of the results when the integers from `lo` to `hi` are cast to `to`.

    Args:
        lo: Smallest value, in units of `2**-frac`.
        hi: Largest value, in units of `2**-frac`.
        frac: Fractional bits of `lo` and `hi`; may be negative.
        to: The type to cast to.

    Returns:
        Smallest and largest result in units of `2**-to.frac`. Exact, except that a cast that wraps
        is assumed to reach every value of `to`.
    """
    shift = frac - to.frac
    first, last = _round(lo, shift, to.rounding), _round(hi, shift, to.rounding)
    low, high = to.lowest, to.max
    if low <= first and last <= high:
        return first, last
    if to.overflow is Overflow.WRAP:
        if (first - low) >> to.width == (last - low) >> to.width:
            return _fit(first, to), _fit(last, to)
        return low, high
    if to.overflow is Overflow.SAT_ZERO:
        # Values in range are multiples of the source's unit; all others become zero.
        step = max(-shift, 0)
        first, last = max(first, -(-low >> step) << step), min(last, high >> step << step)
        return (min(first, 0), max(last, 0)) if first <= last else (0, 0)
    return _fit(first, to), _fit(last, to)


def is_lossless(lo: int, hi: int, frac: int, to: FixedType) -> bool:
    """Whether a cast to `to` keeps the value of every integer from `lo` to `hi`.

    Args:
        lo: Smallest value, in units of `2**-frac`.
        hi: Largest value, in units of `2**-frac`.
        frac: Fractional bits of `lo` and `hi`; may be negative.
        to: The type to cast to.
    """
    shift = frac - to.frac
    if shift > 0:
        # Of two neighbours one is odd.
        if lo != hi or lo & ((1 << shift) - 1):
            return False
        lo = hi = lo >> shift
    else:
        lo, hi = lo << -shift, hi << -shift
    return to.lowest <= lo and hi <= to.max


def effective_bits(raw: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of bits of integers from the first to the last nonzero one, without the sign.

    This is the cost of a constant factor (Sun et al., HGQ, 2024): 0 for zero, 1 for a power of two,
    3 for 0b10100.

    Args:
        raw: Integers of any shape, below 2**53 in magnitude.

    Returns:
        An int64 array of the same shape.
    """
    magnitude = np.abs(raw)
    odd = magnitude // np.where(magnitude, magnitude & -magnitude, 1)
    # The exponent of an integer that a float holds exactly is its number of bits.
    return np.frexp(odd.astype(np.float64))[1].astype(np.int64)


def from_float(x: NDArray[np.float32] | NDArray[np.float64], to: FixedType) -> NDArray[np.int64]:
    """Cast floats to `to`, as `ap_fixed` is constructed from `float` or `double`.

    Args:
        x: float32 or float64 of any shape.
        to: The type to cast to.

    Returns:
        An int64 array of the same shape, in units of `2**-to.frac`.

    Raises:
        InputError: if a value is NaN or infinite.
        UnsupportedError: if `to` is wider than 58 bits, or its bits lie beyond 2**900 or 2**-900.
    """
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        where = np.argwhere(~np.isfinite(x))[0].tolist()
        raise InputError(f"value {x[tuple(where)]} at index {where} has no fixed-point equivalent")
    if to.width > 58 or abs(to.integer) > 900:
        raise UnsupportedError(f"cast of floats to {to}: at most 58 bits wide, within 2**+-900")
    # Bring values far out of range near it without changing the result: if they wrap, only the
    # low bits count; if they saturate, only that they are out of range.
    reach = np.ldexp(1.0, to.integer)
    x = np.fmod(x, reach) if to.overflow is Overflow.WRAP else np.clip(x, -2 * reach, 2 * reach)
    # Two more bits and a sticky bit for all below them round like the whole value. A value that
    # underflows must not become zero.
    scaled = np.ldexp(x, to.frac + 2)
    scaled = np.where(scaled == 0, np.sign(x) / 2, scaled)
    floor = np.floor(scaled)
    return cast(2 * floor.astype(np.int64) + (scaled != floor), to.frac + 3, to)


def to_float(raw: NDArray[np.int64], frac: int) -> NDArray[np.float64]:
    """The values `raw * 2**-frac` as float64, of the same shape.

    Exact for magnitudes of `raw` up to 2**53, else rounded to nearest.
    """
    return np.ldexp(np.asarray(raw, np.int64).astype(np.float64), -frac)
