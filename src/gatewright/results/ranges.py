"""Ranges of weights and activations against their types: where they end, which bits they leave."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow
from gatewright.results.figure import Source
from gatewright.results.part import Part
from gatewright.results.scalars import Count, Name, Positive, Real

_MANY = 0.05  # share of values at the limits of a type that is worth a remark


class TypeRange(Part):
    """The values that one type of a layer holds."""

    layer: Name
    """Name of the layer in the model; of an input of the design, of its tensor."""
    role: Name
    """What of the layer, for example "weight", "bias" or "result"."""
    type: Name
    """Fixed-point type."""
    values: Positive
    """Values looked at (a number)."""
    least: Real
    """The least of them (a number, in the unit of the type)."""
    greatest: Real
    """The greatest of them (a number, in the unit of the type)."""
    at_limits: Count
    """Values that are the greatest of the type, or, of a signed one, the least (a number): those
    that saturated are among them."""
    unused_high: Count
    """Highest bits that no value needs (a number): without them all values are the same."""
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
        """Whether many values are at the limits of a type that saturates.

        A type of one or two bits has hardly any other values.
        """
        wraps = self.fixed.overflow is Overflow.WRAP
        return not wraps and self.fixed.width > 2 and self.at_limits > _MANY * self.values


class Ranges(Part):
    """Ranges of what is stored and of what comes out of layers."""

    weights: Annotated[tuple[TypeRange, ...], Source("ranges.weights")] = ()
    """Of weights, biases, scales and tables, in the order of the network."""
    activations: Annotated[tuple[TypeRange, ...], Source("ranges.activations")] = ()
    """Of inputs and of the layers' results over the vectors of the verification."""
