"""Signed digits of constants."""

from __future__ import annotations


def canonical_digits(value: int) -> list[tuple[int, int]]:
    """(sign, place) of the non-zero digits of `value` in canonical signed-digit form."""
    digits, place = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((sign, place))
            value -= sign
        value >>= 1
        place += 1
    return digits
