"""How far hardware is from the model itself, as its own framework computes it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, Count, Fraction, Name


def _or_none(text: object) -> object:
    """Gatewright 0.1 has written an empty text where there is none."""
    return None if text == "" else text


class OutputFidelity(Part):
    """How far an output is from what the model itself predicts."""

    name: Name
    """Name of the output's tensor."""
    largest: Amount
    """Largest absolute difference (a number, in the unit of the output)."""
    mean: Amount
    """Mean absolute difference (a number, in the unit of the output)."""
    equal: Fraction
    """Vectors whose elements are all equal, as a fraction from 0 to 1."""
    agreement: Fraction | None = None
    """Vectors whose greatest element is the same one, as a fraction from 0 to 1, where the output
    classifies."""


class LayerFidelity(Part):
    """How far a layer is from the model's, of the very inputs that the hardware's layer has."""

    name: Name
    """Name of the layer in the model."""
    vectors: Count
    """Vectors compared (a number)."""
    largest: Amount
    """Largest absolute difference (a number, in the unit of the result)."""
    explained: Amount
    """How much of it the steps of its types account for (a number, in the unit of the result)."""


class Cause(Part):
    """A layer that gives other values than the model's of the same inputs, and why."""

    layer: Name
    """The layer of hardware, as settings and reports name it."""
    type: str
    """The type to blame."""
    reason: str
    """What it does to values, in words."""
    setting: Annotated[str | None, BeforeValidator(_or_none)] = None
    """What `gatewright convert --set` mends it with, `layer.key=value`; None if nothing is known
    to."""


class Fidelity(Part):
    """The hardware's outputs against the predictions of the model itself, in its own framework."""

    vectors: Count
    """Vectors compared (a number)."""
    outputs: Annotated[tuple[OutputFidelity, ...], Source("fidelity")] = ()
    """Per output of the design."""
    layers: tuple[LayerFidelity, ...] = ()
    """Per layer of hardware that the model has, too, in the order of the network."""
    first: Cause | None = None
    """The first layer that departs by more than the steps of its types explain."""
    not_compared: str | None = None
    """Why nothing was compared, where that is so."""
    inexact: str | None = None
    """The first layer that keeps outputs from being equal bit for bit, and why. Without one they
    ought to be."""
    blame: Cause | None = None
    """What does most harm, where a warning is due."""
    warning: str | None = None
    """What an owner of the model should know, in a sentence."""

    def layer(self, name: str) -> LayerFidelity | None:
        """The comparison of the layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    @Figure("agreement with the model", "more", "fidelity", digits=4)
    def agreement(self) -> float | None:
        """Agreement of classes, of the output where it is least, from 0 to 1."""
        known = [each.agreement for each in self.outputs if each.agreement is not None]
        return min(known, default=None)

    @property
    @Figure(
        "difference from the model", "less", "fidelity", name="difference", digits=6, primary=False
    )
    def largest(self) -> float | None:
        """Largest absolute difference of all outputs, in their unit."""
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
        """Mean absolute difference of the output where it is largest, in its unit."""
        return max((each.mean for each in self.outputs), default=None)

    @property
    @Figure("equal to the model", "more", "fidelity", digits=4, primary=False)
    def equal(self) -> float | None:
        """Vectors that are equal, of the output where these are fewest, from 0 to 1."""
        return min((each.equal for each in self.outputs), default=None)
