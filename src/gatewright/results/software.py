"""The task of the model in software on a processor or a GPU."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, Fraction, Name, Positive, PositiveReal


class Baseline(Part):
    """One measured way to run the same task in software on a processor."""

    runtime: Name
    """Software that ran it, for example "TensorFlow Lite"."""
    version: str | None = None
    """Version of that software."""
    model: Name
    """Arithmetic of the model: "float32", "int8", "dynamic range" or "fixed point"."""
    source: str | None = None
    """The model that was converted for the runtime, and how."""
    kernels: str | None = None
    """Kernels of the runtime that ran it, for example "built-in kernels"."""
    cpu: str | None = None
    """Name of the processor, as the operating system reports it."""
    threads: Positive | None = None
    """Threads that the runtime was allowed to use (a number)."""
    batch: Positive | None = None
    """Samples per call (a number)."""
    latency_us: PositiveReal | None = None
    """Median time from the call with a batch to its results, in us (a number of microseconds)."""
    latency_low_us: PositiveReal | None = None
    """5th percentile of that time, in us (a number of microseconds)."""
    latency_high_us: PositiveReal | None = None
    """95th percentile of that time, in us (a number of microseconds)."""
    repetitions: Positive | None = None
    """Batches that were timed (a number)."""
    metric: str = "accuracy"
    """Name of the metric of `accuracy` or `error`."""
    accuracy: Fraction | None = None
    """Metric on the test set of which more is better, as a fraction from 0 to 1."""
    error: Amount | None = None
    """Metric on the test set of which less is better, in the metric's own unit."""
    samples: Positive | None = None
    """Samples that it was measured on (a number)."""
    method: str | None = None
    """How it was measured, in words."""
    problem: str | None = None
    """Why there are no figures, if the model could not be converted or run."""
    gpu: str | None = None
    """Name of the GPU that ran it; None if the processor did."""

    @model_validator(mode="after")
    def _consistent(self) -> Baseline:
        times = [self.latency_low_us, self.latency_us, self.latency_high_us]
        known = [time for time in times if time is not None]
        if known != sorted(known):
            raise ValueError("latency_low_us, latency_us and latency_high_us are not in order")
        if self.problem is not None and known:
            raise ValueError("'problem' is set, but there are latencies as well")
        return self

    @property
    def throughput(self) -> float | None:
        """Inferences per second: batch size over median latency."""
        if self.latency_us is None or self.batch is None:
            return None
        return 1e6 * self.batch / self.latency_us


class Software(Part):
    """The quantized model itself in software on the machine that wrote the report."""

    runs: Annotated[tuple[Baseline, ...], Source("software")] = ()
    """Measurements, one per runtime, device and batch size."""

    @property
    @Figure(
        "CPU latency", "less", "software", name="cpu_latency", unit="µs", digits=1, primary=False
    )
    def latency_us(self) -> float | None:
        """Median time of a single sample on the processor with the fastest runtime, in us."""
        single = [run for run in self.runs if run.gpu is None and run.batch == 1]
        return min((run.latency_us for run in single if run.latency_us is not None), default=None)

    @property
    @Figure("CPU FPS", "more", "software", name="cpu_fps", primary=False)
    def fps(self) -> float | None:
        """Samples per second on the processor with the fastest runtime."""
        rates = [run.throughput for run in self.runs if run.gpu is None]
        return max((rate for rate in rates if rate is not None), default=None)
