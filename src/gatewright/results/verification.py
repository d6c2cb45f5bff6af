"""Results of verification: comparisons, and the first difference."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.results.figure import Figure
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import Count, Integer, Name


class Difference(Part):
    """The first element, in the order of the network, in which two computations differ."""

    layer: Name
    """The layer whose result differs."""
    vector: Count
    """Index of the input vector, from 0."""
    element: Count
    """Index of the element in the flattened result, from 0."""
    expected: Integer
    """Raw value of the reference, in units of 2^-f, f being the fractional bits of the type."""
    got: Integer
    """Raw value under test, in the same units of 2^-f."""
    tensor: str | None = None
    """Name of the result's tensor."""
    type: str | None = None
    """Fixed-point type of the result."""
    reference: str | None = None
    """Source of the expected value, for example "golden"."""
    subject: str | None = None
    """Source of the value under test, for example "RTL"."""


class Comparison(Part):
    """Numbers of vectors compared and of vectors that differ."""

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
    """The comparisons of a design, and whether all are equal bit for bit.

    `vectors` and `mismatches` are those of the RTL's outputs.
    """

    reference: str
    """Source of the expected outputs, in words."""
    first_difference: Difference | None = None
    """The first difference; None if there is none."""
    stalls: tuple[str, ...] = ()
    """Stall patterns applied to the ports."""
    emulation_missing: str | None = None
    """Why hls4ml's C++ was not compared, in words; None if it was."""
    layers: tuple[LayerCheck, ...] = ()
    """Comparisons of the layers' results, in the order of the network."""
    keras: Comparison | None = None
    """Keras' predictions compared with the RTL's outputs, bit for bit. A difference is not a
    failure: for example, Keras computes a softmax in floating point, hls4ml by tables."""

    @model_validator(mode="after")
    def _consistent(self) -> Verification:
        refuse_duplicates("layer", (layer.name for layer in self.layers))
        return self

    @property
    def differing(self) -> list[Comparison]:
        """The comparisons of outputs or layers with mismatches."""
        checks: tuple[Comparison, ...] = (self, *self.layers)
        return [check for check in checks if check.mismatches]

    @property
    def passed(self) -> bool:
        """Whether vectors were compared, and all are equal at every layer."""
        return self.vectors > 0 and not self.differing and self.first_difference is None


def reference_of(emulation_missing: str | None) -> str:
    """The text of `Verification.reference`.

    Args:
        emulation_missing: why hls4ml's C++ was not compared; None if it was.
    """
    if emulation_missing is not None:
        return "NumPy golden"
    return "NumPy golden = hls4ml's C++ emulation, at every layer"
