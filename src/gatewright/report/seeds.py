"""The spread over training seeds, as a table."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from gatewright.report.figures import FIGURES
from gatewright.report.text_tables import filled, numbers, significant, texts

if TYPE_CHECKING:
    from gatewright.report.schema import Report, SweepReport
    from gatewright.report.text_tables import Entry

METHOD = (
    "Each configuration was trained from several seeds, and every network was verified and "
    "synthesized. Accuracies and errors are means over the seeds on the test set, ± the sample "
    "standard deviation; the change is from the float to the quantized network."
)
"""How the figures of `seed_table` were obtained."""

_SCORES = {"float_model": "float", "quantized": "quantized", "rtl": "RTL"}
_RESOURCES = ("lut", "ff", "dsp", "bram")


def seed_table(sweep: SweepReport) -> list[Entry]:
    """A row per configuration that was trained from several seeds; may be empty.

    A figure that is unknown for one of the seeds is left out.
    """
    reports = [report for report in sweep.reports if report.repetitions]
    if not reports:
        return []
    entries = [
        texts("config", [report.config.name for report in reports]),
        numbers("seeds", [1 + len(report.repetitions) for report in reports]),
        texts("vectors differing", [_differing(report) for report in reports]),
    ]
    for field, label in _SCORES.items():
        held = [_scores(report, field) for report in reports]
        for kind, spread in (("accuracy", _rounded), ("error", _significant)):
            own = [
                values if getattr(report, kind) else None
                for report, values in zip(reports, held, strict=True)
            ]
            entries.append(texts(f"{kind} {label}", [spread(v) if v else None for v in own]))
    changes = [
        _difference(_scores(report, "quantized"), _scores(report, "float_model"))
        for report in reports
    ]
    if any(report.error for report in reports):
        entries.append(significant("change", changes))
    else:
        entries.append(numbers("change", changes, form="+.4f"))
    for target in sweep.targets:
        for name in _RESOURCES:
            figure = FIGURES[name]
            held = [_amounts(report, target, figure.field) for report in reports]
            if any(amount for amounts in held if amounts for amount in amounts):
                where = f"{target} " if len(sweep.targets) > 1 else ""
                entries += [
                    numbers(
                        f"{where}{figure.label} {what}",
                        [function(amounts) if amounts else None for amounts in held],
                        form=f",.{figure.digits}f",
                    )
                    for what, function in (("mean", fmean), ("least", min), ("most", max))
                ]
    return filled(entries)


def _scores(report: Report, field: str) -> list[float] | None:
    """The metric of each seed; None unless all are known."""
    parts = [report.score, *(again.accuracy or again.error for again in report.repetitions)]
    return _all([getattr(part, field, None) for part in parts])


def _amounts(report: Report, target: str, field: str) -> list[float] | None:
    """A resource of each seed; None unless all are known."""
    parts = [report.resources, *(again.resources for again in report.repetitions)]
    return _all([getattr(part.get(target), field, None) for part in parts])


def _all(values: list[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _difference(after: list[float] | None, before: list[float] | None) -> float | None:
    return fmean(after) - fmean(before) if after and before else None


def _rounded(values: list[float]) -> str:
    return f"{fmean(values):.4f} ± {stdev(values):.4f}"


def _significant(values: list[float]) -> str:
    return f"{fmean(values):.4g} ± {stdev(values):.2g}"


def _differing(report: Report) -> str | None:
    """Vectors of all seeds on which RTL and golden outputs differ; None if not verified."""
    own = report.verification
    if own is None:
        return None
    parts = [own, *(again.verification for again in report.repetitions)]
    mismatches = sum(part.mismatches for part in parts)
    return f"{mismatches:,} of {sum(part.vectors for part in parts):,}"
