"""Types of numbers and names in results: NumPy's integers are accepted, booleans are not."""

from __future__ import annotations

import numbers
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict


def _integer(value: object) -> object:
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    return value


def _by_key(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items()))


Integer = Annotated[int, BeforeValidator(_integer), Strict()]
Count = Annotated[Integer, Field(ge=0)]
Positive = Annotated[Integer, Field(gt=0)]
Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Amount = Annotated[Real, Field(ge=0)]
PositiveReal = Annotated[Real, Field(gt=0)]
Fraction = Annotated[Real, Field(ge=0, le=1)]
Shape = tuple[Positive, ...]
Name = Annotated[str, Field(min_length=1)]

ByKey = AfterValidator(_by_key)
"""Sorts a dictionary by key, so that equal dictionaries are written as the same bytes."""
