"""hls4ml's precisions as fixed-point types."""

from __future__ import annotations

from typing import Any

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType

_FIXED, _INTEGER = "FixedPrecisionType", "IntegerPrecisionType"
_SIGN, _EXPONENT = "XnorPrecisionType", "ExponentPrecisionType"


def _kind(precision: Any) -> str:
    # By name, so that hls4ml is not imported; names of its backend's classes begin with AP.
    return type(precision).__name__.removeprefix("AP")


def fixed_type(precision: Any) -> FixedType | None:
    """hls4ml's precision as a FixedType; None if it is not fixed point."""
    return FixedType.parse(str(precision)) if _kind(precision) in (_FIXED, _INTEGER) else None


def word_type(precision: Any, where: str) -> FixedType:
    """The type of words in the C++; bits that mean -1 and +1 are one-bit words.

    Raises:
        InputError: if Gatewright does not have the type; names `where`.
    """
    if _kind(precision) not in (_FIXED, _INTEGER, _SIGN):
        raise UnsupportedError(
            f"{where}: type {precision} ({_kind(precision)}) is not a fixed-point type"
        )
    try:
        return FixedType.parse(str(precision))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def is_sign(precision: Any) -> bool:
    """Whether values are bits that mean -1 and +1."""
    return _kind(precision) == _SIGN


def is_exponent(precision: Any) -> bool:
    """Whether values are powers of two, stored as exponents."""
    return _kind(precision) == _EXPONENT


def is_bit(precision: Any) -> bool:
    """Whether values are the integers 0 and 1."""
    return _kind(precision) == _INTEGER and precision.width == 1 and not precision.signed


def is_ternary(precision: Any) -> bool:
    """Whether the C++ reads values as -1, 0 and 1: signed integers of two bits."""
    return _kind(precision) == _INTEGER and precision.width == 2 and bool(precision.signed)
