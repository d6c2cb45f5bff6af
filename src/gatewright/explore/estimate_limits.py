"""Which trials need no synthesis, by the estimate of their hardware.

Such a trial is surely not on the front: it misses a constraint, or a synthesized trial is better,
even if the estimate is too high by its stated error, or by the greatest error that this search has
seen, whichever is greater. Accuracy and compute cost are known by then and not estimated.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from gatewright.estimate import Estimated
from gatewright.explore.outcome import EstimateLimits, valid, violations
from gatewright.report.budget import parse_budget
from gatewright.report.figures import find_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.explore.outcome import Outcome, Trial
    from gatewright.explore.space import Search
    from gatewright.report.figures import ReportFigure

_RESOURCES = frozenset(field.name for field in fields(Estimated))


def is_estimated(name: str) -> bool:
    """Whether the figure with this name is a resource that estimates have."""
    return find_quantity(name).figure.name in _RESOURCES


def proxies_of(figure: ReportFigure) -> tuple[str, ...]:
    """Names of figures that are known before synthesis and predict a figure; may be empty."""
    if not figure.foretold_by:
        return ()
    # Figures of timing depend on clock and cycles, so neither may be worse.
    return (figure.foretold_by, *(["clock"] if figure.part == "timing" else []))


def estimate_limits(search: Search, trials: Sequence[Trial]) -> EstimateLimits:
    """The limits for estimates, from the trials of a search."""
    done = [trial.outcome for trial in trials if trial.outcome.state == "done"]
    judged = _judged(search)
    rivals = {
        tuple(outcome.figures[name] for name in judged)
        for outcome in done
        if judged and outcome.figures.keys() >= set(judged) and valid(search, outcome)
    }
    return EstimateLimits(
        constraints=search.constraints,
        judged=judged,
        rivals=tuple(sorted(rivals)),
        overestimated=tuple(sorted(_overestimated(done).items())),
    )


def hopeless(limits: EstimateLimits, outcome: Outcome) -> bool:
    """Whether a trial is surely not on the front.

    Args:
        limits: The limits.
        outcome: Its figures, estimates and their errors, as known before synthesis.
    """
    lowest = _lowest(limits, outcome)
    known = outcome.figures | lowest
    for budget in map(parse_budget, limits.constraints):
        value = known.get(budget.quantity.name)
        if value is None or (budget.relation == ">=" and budget.quantity.name in lowest):
            continue
        if not budget.allows(value):
            return True
    if not limits.judged or any(name not in known for name in limits.judged):
        return False
    return any(
        all(
            theirs < lowest[name] if name in lowest else no_worse(name, theirs, known[name])
            for name, theirs in zip(limits.judged, rival, strict=True)
        )
        for rival in limits.rivals
    )


def hopeful(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """Trials that were stopped by their estimate and may be on the front after all, by number.

    That is so if a better trial failed later, or estimates turned out to be less accurate. If no
    trial has a result, it is the trial that misses the constraints least by its estimate.
    """
    limits = estimate_limits(search, trials)
    stopped = [trial for trial in trials if trial.outcome.reason == "estimate"]
    found = [trial for trial in stopped if not hopeless(limits, trial.outcome)]
    if found or not stopped or any(trial.outcome.state == "done" for trial in trials):
        return found
    return [min(stopped, key=lambda trial: (_missed(search, trial.outcome), trial.number))]


def _judged(search: Search) -> tuple[str, ...]:
    """See `EstimateLimits.judged`; empty as well if no objective is estimated."""
    found: dict[str, None] = {}
    for name in search.objectives:
        figure = find_quantity(name).figure
        # Compute cost predicts other resources, but not surely.
        proxies = () if figure.per_target else proxies_of(figure)
        judged = (name,) if is_estimated(name) else proxies
        if not judged:
            return ()
        found |= dict.fromkeys(judged)
    return tuple(found) if any(map(is_estimated, search.objectives)) else ()


def _lowest(limits: EstimateLimits, outcome: Outcome) -> dict[str, float]:
    """The least value that each estimated resource may have; only if its error is known."""
    seen = dict(limits.overestimated)
    return {
        name: outcome.expected[name] / (1 + max(error, seen.get(name, 0.0)))
        for name, error in outcome.errors.items()
    }


def _overestimated(done: Sequence[Outcome]) -> dict[str, float]:
    found: dict[str, float] = {}
    for outcome in done:
        for name in outcome.expected.keys() & outcome.figures.keys():
            excess = outcome.expected[name] / max(outcome.figures[name], 1.0) - 1
            if is_estimated(name) and excess > 0:
                found[name] = max(found.get(name, 0.0), float(f"{excess:.6g}"))
    return found


def no_worse(name: str, theirs: float, own: float) -> bool:
    """Whether another value of a figure is equal or better."""
    return theirs >= own if find_quantity(name).figure.better == "more" else theirs <= own


def _missed(search: Search, outcome: Outcome) -> float:
    amounts = violations(search, outcome.expected | outcome.figures).values()
    return max(amounts, default=0.0)
