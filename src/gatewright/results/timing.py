"""Timing: cycles from port to port, and the clock."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.results.figure import Figure
from gatewright.results.part import Part
from gatewright.results.scalars import Count, Positive, PositiveReal


class Timing(Part):
    """Cycles and clock. A cycle is a period of `clock_ns`."""

    clock_ns: Annotated[
        PositiveReal | None,
        Figure("clock", "less", name="clock", unit="ns", digits=3, foretold_by="clock"),
    ] = None
    """Requested clock period, in ns."""
    latency_min: Annotated[
        Count | None,
        Figure(
            "least latency",
            "less",
            "timing.simulated",
            unit="cycles",
            after="latency",
            repeats=("latency",),
            foretold_by="latency_predicted",
        ),
    ] = None
    """Least latency, in cycles, from a tensor's first input transfer to its first output
    transfer."""
    latency_max: Annotated[
        Count | None,
        Figure(
            "latency",
            "less",
            "timing.simulated",
            unit="cycles",
            name="latency",
            foretold_by="latency_predicted",
        ),
    ] = None
    """Largest latency, in cycles, from a tensor's first input transfer to its first output
    transfer, without stalls."""
    latency_last_min: Annotated[
        Count | None,
        Figure(
            "least latency to last beat",
            "less",
            "timing.simulated",
            unit="cycles",
            after="latency_last",
            primary=False,
        ),
    ] = None
    """Least latency, in cycles, from a tensor's first input transfer to its last output
    transfer."""
    latency_last_max: Annotated[
        Count | None,
        Figure(
            "latency to last beat",
            "less",
            "timing.simulated",
            unit="cycles",
            name="latency_last",
            repeats=("latency",),
        ),
    ] = None
    """Largest latency, in cycles, from a tensor's first input transfer to its last output transfer,
    without stalls."""
    latency_predicted: Annotated[
        Count | None,
        Figure(
            "predicted latency",
            "less",
            "timing.predicted",
            unit="cycles",
            after="fps",
            repeats=("latency", "latency_min"),
            foretold_by="latency_predicted",
        ),
    ] = None
    """Latency by the schedule, in cycles."""
    ii: Annotated[
        Positive | None,
        Figure("II", "less", "timing.simulated", unit="cycles", foretold_by="ii_predicted"),
    ] = None
    """Simulated initiation interval: cycles between two tensors at full rate."""
    ii_predicted: Annotated[
        Positive | None,
        Figure(
            "predicted II",
            "less",
            "timing.predicted",
            unit="cycles",
            repeats=("ii",),
            foretold_by="ii_predicted",
        ),
    ] = None
    """Initiation interval by the schedule, in cycles."""

    @model_validator(mode="after")
    def _ordered(self) -> Timing:
        for least, most in (
            ("latency_min", "latency_max"),
            ("latency_last_min", "latency_last_max"),
            ("latency_max", "latency_last_max"),
        ):
            low, high = getattr(self, least), getattr(self, most)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{least} is larger than {most}")
        return self

    @property
    @Figure(
        "latency",
        "less",
        "timing.simulated",
        unit="ns",
        digits=1,
        after="latency_last_min",
        foretold_by="latency_predicted",
    )
    def latency_ns(self) -> float | None:
        """Largest latency at the requested clock, in ns."""
        if self.latency_max is None or self.clock_ns is None:
            return None
        return self.latency_max * self.clock_ns

    @property
    @Figure("FPS", "more", "timing.simulated", after="ii", foretold_by="ii_predicted")
    def fps(self) -> float | None:
        """Tensors per second, from the requested clock and the simulated initiation interval."""
        if self.ii is None or self.clock_ns is None:
            return None
        return 1e9 / (self.clock_ns * self.ii)
