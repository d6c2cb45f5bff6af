"""Sums of resources over the parts of a design."""

from __future__ import annotations

from collections.abc import Iterable

from gatewright.results.utilization import Resources


def total(parts: Iterable[Resources]) -> Resources:
    """Sum of resources; a figure that is unknown for one part is unknown in the sum."""
    parts = list(parts)
    sums = {}
    for name in Resources.model_fields:
        figures = [getattr(part, name) for part in parts]
        sums[name] = None if None in figures else sum(figures)
    return Resources(**sums)
