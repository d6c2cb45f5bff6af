"""Differences between the hardware and the model itself, as its own framework computes it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, Count, Fraction, Name


def _or_none(text: object) -> object:
    """None for the empty text that Gatewright 0.1 wrote instead."""
    return None if text == "" else text


class OutputFidelity(Part):
    """Differences of one output from the prediction of the model itself."""

    name: Name
    """Name of the output's tensor."""
    largest: Amount
    """Largest absolute difference (a number, in the unit of the output)."""
    mean: Amount
    """Mean absolute difference (a number, in the unit of the output)."""
    equal: Fraction
    """Fraction of vectors whose elements are all equal, from 0 to 1."""
    agreement: Fraction | None = None
    """Fraction of vectors with the same greatest element, from 0 to 1; None if the output does not
    classify."""


class LayerFidelity(Part):
    """Differences of one layer from the model's layer, both given the hardware's inputs."""

    name: Name
    """Name of the layer in the model."""
    vectors: Count
    """Vectors compared (a number)."""
    largest: Amount
    """Largest absolute difference (a number, in the unit of the result)."""
    explained: Amount
    """Part of it that rounding to the layer's types explains (a number, in the unit of the
    result)."""


class Cause(Part):
    """A layer whose values differ from the model's on the same inputs, and why."""

    layer: Name
    """Name of the hardware layer, as in settings and reports."""
    type: str
    """The fixed-point type that causes the difference."""
    reason: str
    """How it changes values, in words."""
    setting: Annotated[str | None, BeforeValidator(_or_none)] = None
    """Remedy for `gatewright convert --set`, `layer.key=value`; None if none is known."""


class Fidelity(Part):
    """The hardware's outputs compared with predictions of the model in its own framework."""

    vectors: Count
    """Vectors compared (a number)."""
    outputs: Annotated[tuple[OutputFidelity, ...], Source("fidelity")] = ()
    """Per output of the design."""
    layers: tuple[LayerFidelity, ...] = ()
    """Per hardware layer that has a counterpart in the model, in the order of the network."""
    first: Cause | None = None
    """The first layer whose difference is larger than rounding to its types explains."""
    not_compared: str | None = None
    """Why nothing was compared; None if it was."""
    inexact: str | None = None
    """The first layer that is not bit-exact by design, and why; None if outputs should be equal bit
    for bit."""
    blame: Cause | None = None
    """The cause of most of the difference, if there is a warning."""
    warning: str | None = None
    """A warning for the owner of the model, in one sentence."""

    def layer(self, name: str) -> LayerFidelity | None:
        """The comparison of the layer with this name; None if it was not compared."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    @Figure("agreement with the model", "more", "fidelity", digits=4)
    def agreement(self) -> float | None:
        """Fraction of vectors with the same class, from 0 to 1; the lowest of all outputs."""
        known = [each.agreement for each in self.outputs if each.agreement is not None]
        return min(known, default=None)

    @property
    @Figure(
        "difference from the model", "less", "fidelity", name="difference", digits=6, primary=False
    )
    def largest(self) -> float | None:
        """Largest absolute difference of all outputs, in the unit of the outputs."""
        return max((each.largest for each in self.outputs), default=None)

    @property
    @Figure(
        "mean difference from it",
        "less",
        "fidelity",
        name="mean_difference",
        digits=6,
        primary=False,
    )
    def mean(self) -> float | None:
        """Mean absolute difference, in the unit of the outputs; the largest of all outputs."""
        return max((each.mean for each in self.outputs), default=None)

    @property
    @Figure("equal to the model", "more", "fidelity", digits=4, primary=False)
    def equal(self) -> float | None:
        """Fraction of vectors that are equal, from 0 to 1; the lowest of all outputs."""
        return min((each.equal for each in self.outputs), default=None)
