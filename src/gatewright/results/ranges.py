"""Ranges of weights and activations against their types: extremes, saturation, unused bits."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow
from gatewright.results.figure import Source
from gatewright.results.part import Part
from gatewright.results.scalars import Count, Name, Positive, Real

_MANY = 0.05  # fraction of values at the limits of a type that deserves a remark


class TypeRange(Part):
    """The range of the values of one type of a layer."""

    layer: Name
    """Name of the layer in the model; for an input of the design, name of its tensor."""
    role: Name
    """Role of the values in the layer, for example "weight", "bias" or "result"."""
    type: Name
    """Fixed-point type."""
    values: Positive
    """Values examined (a number)."""
    least: Real
    """Least value (a number, in the unit of the type)."""
    greatest: Real
    """Greatest value (a number, in the unit of the type)."""
    at_limits: Count
    """Values equal to the greatest value of the type or, if it is signed, to its least (a number);
    they include all that saturated."""
    unused_high: Count
    """Highest bits that could be removed without changing any value (a number)."""
    unused_low: Count
    """Lowest bits that are zero in all values (a number)."""

    @model_validator(mode="after")
    def _ordered(self) -> TypeRange:
        if self.least > self.greatest:
            raise ValueError("least is larger than greatest")
        if self.at_limits > self.values:
            raise ValueError("more values at the limits than values")
        if max(self.unused_high, self.unused_low) > self.fixed.width:
            raise ValueError("more unused bits than bits")
        return self

    @property
    def fixed(self) -> FixedType:
        """The type."""
        try:
            return FixedType.parse(self.type)
        except InputError as error:
            raise ValueError(str(error)) from None

    @property
    def saturates(self) -> bool:
        """Whether many values are at the limits of a saturating type.

        Always False for types of one or two bits, which have few other values.
        """
        wraps = self.fixed.overflow is Overflow.WRAP
        return not wraps and self.fixed.width > 2 and self.at_limits > _MANY * self.values


class Ranges(Part):
    """Ranges of weights and of activations."""

    weights: Annotated[tuple[TypeRange, ...], Source("ranges.weights")] = ()
    """Ranges of weights, biases, scales and tables, in the order of the network."""
    activations: Annotated[tuple[TypeRange, ...], Source("ranges.activations")] = ()
    """Ranges of inputs and of results of layers, over the vectors of the verification."""
