"""Remarks to read before the figures: failures first, then warnings, then notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewright.report.capacity import over_capacity
from gatewright.report.figures import columns
from gatewright.report.sentences import difference_text, unmet_text, verdict
from gatewright.report.software_tables import problems
from gatewright.report.view import heading, notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.schema import SweepReport

Level = Literal["failure", "warning", "note"]
_ORDER: dict[Level, int] = {"failure": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Remark:
    """A sentence that stands above the figures.

    Attributes:
        level: "failure" if something is wrong, "warning" if something may be wrong.
        text: the sentence.
        configs: names of the configurations that it applies to; empty if it applies to all.
    """

    level: Level
    text: str
    configs: tuple[str, ...] = ()


def remarks(
    sweep: SweepReport, verdicts: Sequence[Verdict] = (), difference: Changes | None = None
) -> list[Remark]:
    """The remarks on the reports of one model, the most severe first.

    Args:
        sweep: the reports.
        verdicts: results of checking budgets; each missed one becomes a failure.
        difference: a comparison with older reports.
    """
    found = [
        *_verification(sweep),
        *_figures(sweep),
        *(Remark("failure", f"{one}", (one.config,)) for one in verdicts if not one.ok),
        *_against(difference),
        *_fidelity(sweep),
        *_saturations(sweep),
        *_notes(sweep),
        *(Remark("note", text) for text in problems(sweep)),
    ]
    return sorted(found, key=lambda remark: _ORDER[remark.level])


def _verification(sweep: SweepReport) -> Iterator[Remark]:
    for report in sweep.reports:
        if report.passed is False:
            text = verdict(report)
            check = report.verification
            if check is not None and check.first_difference is not None:
                text += f"; first difference: {difference_text(check.first_difference)}"
            yield Remark("failure", text, (report.config.name,))
    unknown = tuple(report.config.name for report in sweep.reports if report.passed is None)
    if unknown:
        yield Remark("warning", "not verified: the RTL's outputs were not compared", unknown)


def _figures(sweep: SweepReport) -> Iterator[Remark]:
    """A failure for each figure below the least value that its declaration allows."""
    for column in columns(sweep):
        least = column.figure.least
        for report, value in zip(sweep.reports, column.values, strict=True):
            if least is not None and value is not None and value < least:
                text = f"{heading(column, sweep.targets)} is {column.figure.format(value)}"
                text += f", below the least allowed value of {column.figure.format(least)}"
                yield Remark("failure", text, (report.config.name,))


def _against(difference: Changes | None) -> Iterator[Remark]:
    if difference is None:
        return
    for config, old, new in difference.verdicts:
        yield Remark("warning", f"verification was {old}, is {new}", (config,))
    worse = sum(change.better is False for change in difference.changes)
    if worse:
        text = f"{worse:,} of {len(difference.changes):,} changed figures are worse than before"
        yield Remark("warning", text)


def _fidelity(sweep: SweepReport) -> Iterator[Remark]:
    for report in sweep.reports:
        if report.fidelity is not None and report.fidelity.warning is not None:
            yield Remark("warning", report.fidelity.warning, (report.config.name,))


def _saturations(sweep: SweepReport) -> Iterator[Remark]:
    """A note for each result with many values at the limits of its type."""
    for report in sweep.reports:
        held = report.ranges.activations if report.ranges else ()
        for each in held:
            if each.saturates:
                share = f"{100 * each.at_limits / each.values:.0f} %"
                text = f"{each.layer}: {share} of its values are at the limits of {each.type}"
                yield Remark("note", text, (report.config.name,))


def _notes(sweep: SweepReport) -> Iterator[Remark]:
    holders: dict[str, list[str]] = {}
    for report in sweep.reports:
        for note in notes(report):
            holders.setdefault(note, []).append(report.config.name)
    unmet = {unmet_text(one) for report in sweep.reports for one in report.vendor.values()}
    too_small = {text for report in sweep.reports for text in over_capacity(report)}
    for note, configs in holders.items():
        level: Level = "warning" if note in too_small else "note"
        yield Remark("failure" if note in unmet else level, note, tuple(configs))
