"""Verification: which vectors were compared with what, and where they first differ."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.results.figure import Figure
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import Count, Integer, Name


class Difference(Part):
    """The first element, in the order of the network, where two computations differ."""

    layer: Name
    """The layer whose result differs."""
    vector: Count
    """Index of the input vector, from 0."""
    element: Count
    """Index of the element in the flattened result, from 0."""
    expected: Integer
    """Value of the reference, in units of 2^-fractional bits of the type."""
    got: Integer
    """Value under test, in units of 2^-fractional bits of the type."""
    tensor: str | None = None
    """Name of the result's tensor."""
    type: str | None = None
    """Fixed-point type of the result."""
    reference: str | None = None
    """What computed the expected value."""
    subject: str | None = None
    """What computed the other one."""


class Comparison(Part):
    """How many vectors were compared, and how many differ."""

    vectors: Annotated[Count, Figure("vectors", "more", "verification", primary=False)]
    """Vectors compared (a number)."""
    mismatches: Annotated[Count, Figure("mismatches", "less", "verification", primary=False)]
    """Vectors with at least one element that differs (a number)."""

    @model_validator(mode="after")
    def _bounded(self) -> Comparison:
        if self.mismatches > self.vectors:
            raise ValueError("more mismatches than vectors")
        return self


class LayerCheck(Comparison):
    """The comparison of one layer's result with the reference's."""

    name: Name
    """Name of the layer in the model."""


class Verification(Comparison):
    """What was compared with what, and whether it is equal bit for bit.

    `vectors` and `mismatches` are those of the RTL's outputs.
    """

    reference: str
    """What the RTL's outputs were compared with, in words."""
    first_difference: Difference | None = None
    """The first difference found, where there is one."""
    stalls: tuple[str, ...] = ()
    """Stall patterns that the ports went through."""
    emulation_missing: str | None = None
    """Why hls4ml's C++ was not compared, in words; null where it was."""
    layers: tuple[LayerCheck, ...] = ()
    """Checks of the results between layers, in the order of the network."""
    keras: Comparison | None = None
    """Keras' own predictions compared with the RTL's outputs, bit for bit. A difference is no
    failure: Keras computes in floating point what hls4ml looks up in tables, a softmax say."""

    @model_validator(mode="after")
    def _consistent(self) -> Verification:
        refuse_duplicates("layer", (layer.name for layer in self.layers))
        return self

    @property
    def differing(self) -> list[Comparison]:
        """The comparisons, of the outputs or of a layer, that found a mismatch."""
        checks: tuple[Comparison, ...] = (self, *self.layers)
        return [check for check in checks if check.mismatches]

    @property
    def passed(self) -> bool:
        """Whether vectors were compared and all of them, at every layer, are equal."""
        return self.vectors > 0 and not self.differing and self.first_difference is None


def reference_of(emulation_missing: str | None) -> str:
    """What the RTL's outputs are compared with, in words.

    Args:
        emulation_missing: why hls4ml's C++ was not compared; None where it was.
    """
    if emulation_missing is not None:
        return "NumPy golden"
    return "NumPy golden = hls4ml's C++ emulation, at every layer"
