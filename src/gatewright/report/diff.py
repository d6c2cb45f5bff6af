"""What changed between two sweeps of one model, figure by figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.report.figures import Quantity, quantities
from gatewright.report.schema import Score
from gatewright.report.sentences import origin_text, verdict

if TYPE_CHECKING:
    from gatewright.report.schema import Report, SweepReport


@dataclass(frozen=True)
class Change:
    """A figure of a configuration whose value or origin changed."""

    config: str
    quantity: Quantity
    old: float | None
    new: float | None
    note: str  # how the origin or the metric changed; "" if neither did
    comparable: bool = True  # whether both values are of the same metric

    @property
    def percent(self) -> float | None:
        """Change in percent of the old value; None if a value is unknown or the old one is 0."""
        if self.old is None or self.new is None or not self.old or not self.comparable:
            return None
        return 100 * (self.new - self.old) / abs(self.old)

    @property
    def better(self) -> bool | None:
        """Whether the new value is better; None if a value is unknown, or neither is."""
        if self.old is None or self.new is None or self.old == self.new or not self.comparable:
            return None
        return (self.new < self.old) == (self.quantity.figure.better == "less")

    def format(self) -> tuple[str, str, str]:
        """Old value, new value and change as text; "?" for an unknown value."""
        delta = "" if self.percent is None else f"{self.percent:+.1f}%"
        return (
            self.quantity.figure.format(self.old) or "?",
            self.quantity.figure.format(self.new) or "?",
            delta,
        )


@dataclass(frozen=True)
class Changes:
    """The differences between two sweeps of one model."""

    changes: tuple[Change, ...]
    verdicts: tuple[tuple[str, str, str], ...]  # configuration, old and new state of verification
    added: tuple[str, ...]  # configurations
    removed: tuple[str, ...]  # configurations
    unchanged: int  # figures that are known, with the same value and the same origin
    unproved: tuple[str, ...] = ()  # configurations that were bit-exact and no longer are proved so

    def remarks(self) -> list[str]:
        """Sentences on all changes except those of figures."""
        return [
            *(f"{config}: was {old}, is {new}" for config, old, new in self.verdicts),
            *(f"{config}: new, not in the older report" for config in self.added),
            *(f"{config}: removed" for config in self.removed),
            f"{self.unchanged} figures unchanged",
        ]


def compare(new: SweepReport, old: SweepReport) -> Changes:
    """Compare two sweeps of the same model, configuration by configuration.

    Raises:
        InputError: if they are of different models.
    """
    if new.model != old.model:
        raise InputError(
            f"reports of model '{new.model}' can't be compared with those of '{old.model}'"
        )
    before = {report.config.name: report for report in old.reports}
    after = {report.config.name: report for report in new.reports}
    changes: list[Change] = []
    verdicts: list[tuple[str, str, str]] = []
    unchanged = 0
    for config, report in after.items():
        if config not in before:
            continue
        found, same = _changes(report, before[config])
        changes += found
        unchanged += same
        states = verdict(before[config]), verdict(report)
        if states[0] != states[1]:
            verdicts.append((config, *states))
    return Changes(
        tuple(changes),
        tuple(verdicts),
        tuple(config for config in after if config not in before),
        tuple(config for config in before if config not in after),
        unchanged,
        tuple(
            config
            for config, report in after.items()
            if config in before and before[config].passed and not report.passed
        ),
    )


def _changes(new: Report, old: Report) -> tuple[list[Change], int]:
    """The figures of one configuration that changed, and how many did not."""
    found: list[Change] = []
    unchanged = 0
    targets = {part: {*old.per_target[part], *names} for part, names in new.per_target.items()}
    for quantity in quantities(targets):
        values = quantity.of(old), quantity.of(new)
        if values == (None, None):
            continue
        sources = [report.provenance.groups.get(quantity.group) for report in (old, new)]
        note = ""
        if None not in values and sources[0] != sources[1]:
            note = " → ".join(origin_text(source) if source else "None" for source in sources)
        metrics = [_metric(report, quantity) for report in (old, new)]
        comparable = None in values or metrics[0] == metrics[1]
        if not comparable:
            note = " → ".join(metrics)
        if values[0] == values[1] and not note:
            unchanged += 1
        else:
            found.append(Change(new.config.name, quantity, *values, note, comparable))
    return found, unchanged


def _metric(report: Report, quantity: Quantity) -> str:
    """The name of the metric that a quantity is of; "" for others."""
    part = getattr(report, quantity.figure.part)
    return part.metric if isinstance(part, Score) else ""
