"""The same task as software on a processor."""

from __future__ import annotations

from pydantic import model_validator

from gatewright.results.part import Part
from gatewright.results.scalars import Fraction, Name, Positive, PositiveReal


class Baseline(Part):
    """A software model that does the same task on a processor: one way to run it, measured."""

    runtime: Name
    """Software that ran it, for example "TensorFlow Lite"."""
    version: str | None = None
    """Version of that software."""
    model: Name
    """Arithmetic of the model: "float32", "int8" or "dynamic range"."""
    source: str | None = None
    """What was converted for the runtime, and how."""
    kernels: str | None = None
    """What of the runtime computed it, for example "built-in kernels"."""
    cpu: str | None = None
    """Name of the processor, as the system says it."""
    threads: Positive | None = None
    """Threads that the runtime was given (a number)."""
    batch: Positive | None = None
    """Samples handed over at once (a number)."""
    latency_us: PositiveReal | None = None
    """Median time from a batch handed over to its results, in us: a number of microseconds."""
    latency_low_us: PositiveReal | None = None
    """The time that one of twenty batches stays below, in us: a number of microseconds."""
    latency_high_us: PositiveReal | None = None
    """The time that one of twenty batches exceeds, in us: a number of microseconds."""
    repetitions: Positive | None = None
    """Batches that were timed (a number)."""
    metric: str = "accuracy"
    """Name of the metric of `accuracy`; it is a fraction, more is better."""
    accuracy: Fraction | None = None
    """On the test set, as a fraction from 0 to 1."""
    samples: Positive | None = None
    """Samples behind `accuracy` (a number)."""
    method: str | None = None
    """How it was measured, in words."""
    problem: str | None = None
    """Why there are no figures, where the model could not be converted or run."""

    @model_validator(mode="after")
    def _consistent(self) -> Baseline:
        times = [self.latency_low_us, self.latency_us, self.latency_high_us]
        known = [time for time in times if time is not None]
        if known != sorted(known):
            raise ValueError("latency_low_us, latency_us and latency_high_us do not rise")
        if self.problem is not None and known:
            raise ValueError("a problem, but figures as well")
        return self

    @property
    def throughput(self) -> float | None:
        """Inferences per second, at the median time of a batch."""
        if self.latency_us is None or self.batch is None:
            return None
        return 1e6 * self.batch / self.latency_us
