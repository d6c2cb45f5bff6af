"""What a signal of a design was made for."""

from __future__ import annotations

from gatewright.results.part import Part
from gatewright.results.scalars import Count


class SignalOrigin(Part):
    """What a signal of a generated module was made for."""

    layer: str
    """The layer that computes it."""
    stage: Count
    """The pipeline stage of its module that it is in (a number)."""
    element: Count | None = None
    """Index of the only element of its module's result that depends on it: the neuron or channel
    (a number)."""
