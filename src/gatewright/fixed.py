"""Fixed-point types and the only cast in Python.

The semantics are those of `ap_fixed` and `ap_ufixed` in the `ap_types` headers that ship with hls4ml.
A value is an integer `raw` (int64) that stands for `raw * 2**-frac`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gatewright.errors import InputError


class Rounding(StrEnum):
    """Quantization modes of `ap_fixed`: what happens to bits below the last one kept."""

    TRN = "TRN"
    TRN_ZERO = "TRN_ZERO"
    RND = "RND"
    RND_ZERO = "RND_ZERO"
    RND_INF = "RND_INF"
    RND_MIN_INF = "RND_MIN_INF"
    RND_CONV = "RND_CONV"


class Overflow(StrEnum):
    """Overflow modes of `ap_fixed`: what happens to values beyond the range."""

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_ZERO = "SAT_ZERO"
    SAT_SYM = "SAT_SYM"


_FIXED = re.compile(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*0\s*)?>")
_INT = re.compile(r"(?:ap_)?(u?)int<\s*(\d+)\s*>")


@dataclass(frozen=True, slots=True)
class FixedType:
    """A fixed-point type: `width` bits of which `integer` stand left of the point.

    `integer` includes the sign bit, may be negative and may exceed `width`, as in `ap_fixed`.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    @property
    def frac(self) -> int:
        """Number of bits right of the point; the unit of a raw value is 2**-frac."""
        return self.width - self.integer

    @property
    def min(self) -> int:
        """The smallest raw value that the bits can hold."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The largest raw value that the bits can hold."""
        return (1 << (self.width - self.signed)) - 1

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read `fixed<16,6>`, `ap_ufixed<8,0,AP_RND_CONV,AP_SAT>`, `int<8>`, `ap_uint<1>`.

        Raises:
            InputError: if the text is none of these.
        """
        text = text.strip()
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
            result = cls(int(width), int(width), not unsigned)
        else:
            raise InputError(
                f"precision '{text}' is not a fixed-point type; write for example fixed<16,6>, "
                "ufixed<8,0,RND_CONV,SAT> or int<8>"
            )
        if result.width < 1:
            raise InputError(f"precision '{text}': the width must be at least 1 bit")
        return result

    def __str__(self) -> str:
        kind = "fixed" if self.signed else "ufixed"
        if self.overflow is not Overflow.WRAP:
            return f"{kind}<{self.width},{self.integer},{self.rounding},{self.overflow}>"
        if self.rounding is not Rounding.TRN:
            return f"{kind}<{self.width},{self.integer},{self.rounding}>"
        return f"{kind}<{self.width},{self.integer}>"
