"""The accelerator against software on a processor, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.report.text_tables import filled, numbers, significant, texts

if TYPE_CHECKING:
    from gatewright.report.schema import Baseline, Report, SweepReport
    from gatewright.report.text_tables import Entry

METHOD = (
    "Latency and throughput of the accelerator are simulated cycles times the requested clock "
    "period. They were not measured on a device and don't include the transfer of data. A gain of "
    "2 is twice as good as the best baseline of that model: the least median latency of a single "
    "sample, and the highest throughput."
)
"""How the figures of `gain_table` were obtained."""


def baseline_table(sweep: SweepReport) -> list[Entry]:
    """A row per measured baseline; may be empty."""
    held = [baseline for baseline in sweep.baselines if baseline.latency_us is not None]
    if not held:
        return []
    metrics = {baseline.metric for baseline in held}
    metric = metrics.pop() if len(metrics) == 1 else "metric"
    entries = [
        texts("model", [baseline.model for baseline in held]),
        texts("runtime", [_runtime(baseline) for baseline in held]),
        texts("kernels", [baseline.kernels for baseline in held]),
        numbers("batch", [baseline.batch for baseline in held]),
        numbers("threads", [baseline.threads for baseline in held]),
        significant("median latency (µs)", [baseline.latency_us for baseline in held]),
        significant("p5 (µs)", [baseline.latency_low_us for baseline in held]),
        significant("p95 (µs)", [baseline.latency_high_us for baseline in held]),
        numbers("repetitions", [baseline.repetitions for baseline in held]),
        significant("inferences per second", [baseline.throughput for baseline in held]),
        numbers(metric, [baseline.accuracy for baseline in held], form=".4f"),
        significant(metric, [baseline.error for baseline in held]),
    ]
    return filled(entries)


def gain_table(sweep: SweepReport) -> list[Entry]:
    """A row per configuration whose speed is known: its gain over each software model."""
    reports = [report for report in sweep.reports if None not in _speed(report)]
    models = list(dict.fromkeys(b.model for b in sweep.baselines if b.latency_us is not None))
    if not reports or not models:
        return []
    speeds = [_speed(report) for report in reports]
    entries = [
        texts("config", [report.config.name for report in reports]),
        significant("latency (µs)", [latency for latency, _ in speeds]),
        significant("inferences per second", [rate for _, rate in speeds]),
    ]
    for model in models:
        least, most = fastest(sweep, model)
        latency = [least and own and least / own for own, _ in speeds]
        rate = [most and own and own / most for _, own in speeds]
        entries += [
            significant(f"latency gain (over {model})", latency, 3),
            significant(f"throughput gain (over {model})", rate, 3),
        ]
    return filled(entries)


def fastest(sweep: SweepReport, model: str) -> tuple[float | None, float | None]:
    """The least latency of a single sample, in us, and the highest throughput, per second."""
    held = [baseline for baseline in sweep.baselines if baseline.model == model]
    single = [b.latency_us for b in held if b.batch == 1 and b.latency_us is not None]
    rates = [b.throughput for b in held if b.throughput is not None]
    return min(single, default=None), max(rates, default=None)


def baseline_methods(sweep: SweepReport) -> list[tuple[str, str]]:
    """Pairs of name and text: the source of each baseline model, and how runtimes were measured."""
    models: dict[tuple[str, str], None] = {}
    measured: dict[tuple[str, str], None] = {}
    for baseline in sweep.baselines:
        runtime = _runtime(baseline)
        if baseline.source:
            models[f"{baseline.model} · {runtime}", baseline.source] = None
        if baseline.latency_us is not None:
            where = f"on {baseline.cpu}" if baseline.cpu else None
            said = "; ".join(part for part in (where, baseline.method) if part)
            if said:
                measured[f"measured · {runtime}", said] = None
    return [*models, *measured]


def problems(sweep: SweepReport) -> list[str]:
    """Baselines without figures, and why."""
    return [f"{b.model} on {_runtime(b)}: {b.problem}" for b in sweep.baselines if b.problem]


def _runtime(baseline: Baseline) -> str:
    return f"{baseline.runtime} {baseline.version}" if baseline.version else baseline.runtime


def _speed(report: Report) -> tuple[float | None, float | None]:
    """Latency to the last output beat, in us, and results per second, at the requested clock.

    If every output has one beat only, its last beat is its first.
    """
    timing = report.timing
    if timing is None or timing.clock_ns is None:
        return None, None
    cycles = timing.latency_last_max
    if cycles is None and all(
        (p.words or p.beats) == 1 for p in report.ports if p.direction == "output"
    ):
        cycles = timing.latency_max
    return None if cycles is None else cycles * timing.clock_ns / 1000, timing.fps
