"""Early stopping: the limits for a trial, from the results of earlier trials.

Limits depend only on the trials that the sampler was told of, in their order, and so not on the
number of workers. EBOPs (Sun et al., 2024) predict LUTs among networks with the same settings of
the conversion. Trials with different ones, such as other reuse factors, are never compared.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.explore.estimate_limits import (
    estimate_limits,
    is_estimated,
    no_worse,
    proxies_of,
)
from gatewright.explore.outcome import Limits, Outcome, Trial
from gatewright.metrics import Goal
from gatewright.report.budget import parse_budget
from gatewright.report.figures import find_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.explore.space import Point, Search

_ACCURACY, _ERROR = "accuracy_validation", "error_validation"
_EBOPS = "ebops"
# Number of trials before others are judged by them.
_ENOUGH = 6
# A constraint is missed by far if the fitted figure exceeds its limit by this factor, and by three
# standard deviations of the fit.
_FAR = 1.5
# A trial is surely smaller than another if it has at most this fraction of its EBOPs.
_SMALLER = 0.9
# A trial may gain more in its last epochs than earlier trials: this factor, plus a margin.
_GAIN_FACTOR = 1.25
_GAIN_MARGIN = 0.01
# The limit where an error may fall to nothing.
_NO_LIMIT = 1e300


@dataclass(frozen=True)
class _Fit:
    """log(figure) = offset + slope * log(EBOPs), by least squares."""

    offset: float
    slope: float
    deviation: float  # of log(figure)

    def at(self, ebops: float) -> float:
        return math.exp(self.offset + self.slope * math.log(ebops))

    def ebops_of(self, figure: float) -> float:
        return math.exp((math.log(figure) - self.offset) / self.slope)


def limits(search: Search, told: Sequence[Trial], point: Point) -> Limits:
    """The limits that stop a trial at a point early.

    Args:
        search: The search.
        told: The trials that the sampler was told of.
        point: The point of the new trial.
    """
    alike = [
        trial.outcome
        for trial in told
        if trial.outcome.state == "done" and _hardware(trial.point) == _hardware(point)
    ]
    proxies = _proxies(search) if search.stop.dominated else ()
    estimated = search.stop.estimate and any(map(is_estimated, _weighed(search)))
    score = _score(search)
    ended = [trial.outcome for trial in told]
    return Limits(
        ebops=_most_ebops(search, alike) if search.stop.ebops else None,
        score=score,
        worst=_worst(search, score),
        gains=_gains(ended, score) if search.stop.curve else (),
        rivals=_rivals(alike, proxies),
        proxies=proxies,
        estimate=estimate_limits(search, told) if estimated else None,
    )


def floor(found: Limits, ebops: float | None) -> tuple[float, ...]:
    """The limit of the validation metric after each epoch; a trial that is worse is stopped.

    Args:
        found: The trial's limits.
        ebops: The trial's EBOPs before training; None if they are not known.

    Returns:
        Accuracies from 0 to 1, or errors, one for each epoch; empty for no limit.
    """
    is_error = found.score == _ERROR
    worst = [] if found.worst is None else [found.worst]
    if ebops is not None and set(found.proxies) <= {found.score, _EBOPS}:
        for rival in found.rivals:
            figures = dict(zip(found.proxies, rival, strict=True))
            if found.score in figures and figures.get(_EBOPS, math.inf) <= _SMALLER * ebops:
                worst.append(figures[found.score])
    if not worst or (not is_error and max(worst) <= 0):
        return ()
    limit = min(worst) if is_error else max(worst)
    return tuple(_before_gain(limit, gain, is_error=is_error) for gain in found.gains)


def _before_gain(limit: float, gain: float, *, is_error: bool) -> float:
    """The worst value from which the gain still leads to a limit."""
    gain = _GAIN_FACTOR * max(gain, 0.0) + _GAIN_MARGIN
    if not is_error:
        return max(0.0, limit - gain)
    return limit / (1 - gain) if gain < 1 else _NO_LIMIT


def dominated(found: Limits, figures: Mapping[str, float]) -> bool:
    """Whether another trial is surely no worse, according to figures known before synthesis."""
    if not found.proxies or any(name not in figures for name in found.proxies):
        return False
    return any(
        all(
            _no_worse(name, theirs, figures[name])
            for name, theirs in zip(found.proxies, rival, strict=True)
        )
        for rival in found.rivals
    )


def estimate(search: Search, told: Sequence[Trial], trial: Trial) -> dict[str, float]:
    """Estimates of a stopped trial's figures, for the sampler only.

    Figures that can't be estimated are left out.
    """
    done = [other.outcome for other in told if other.outcome.state == "done"]
    alike = [
        other.outcome
        for other in told
        if other.outcome.state == "done" and _hardware(other.point) == _hardware(trial.point)
    ]
    known = trial.outcome.expected | trial.outcome.figures
    if trial.outcome.curve:
        known.setdefault(_score(search), trial.outcome.curve[-1])
    for name in _weighed(search):
        if name in known:
            continue
        others = [outcome.figures[name] for outcome in alike or done if name in outcome.figures]
        if find_quantity(name).figure.foretold_by == _EBOPS:
            fit = _fit(alike, name)
            if fit is not None and _EBOPS in known:
                known[name] = fit.at(known[_EBOPS])
        elif others:
            known[name] = statistics.median(others)
    return known


def _hardware(point: Point) -> str:
    """A point's settings of the conversion except the clock, as a key for comparisons."""
    said = {
        path: value
        for path, value in point.items()
        if path.startswith("conversion") and path != "conversion.clock_ns"
    }
    return json.dumps(said, sort_keys=True)


def _weighed(search: Search) -> tuple[str, ...]:
    """The names of figures in objectives and constraints."""
    limited = (parse_budget(text).quantity.name for text in search.constraints)
    return (*search.objectives, *limited)


def _score(search: Search) -> str:
    """The figure of the validation metric that a search weighs."""
    return _ERROR if _ERROR in _weighed(search) else _ACCURACY


def _worst(search: Search, score: str) -> float | None:
    """The worst value of the validation metric that the constraints allow; None for no limit."""
    better, choose = ("<=", min) if score == _ERROR else (">=", max)
    budgets = [parse_budget(text) for text in search.constraints]
    limits = [b.limit for b in budgets if b.quantity.name == score and b.relation == better]
    return choose(limits) if limits else None


def _most_ebops(search: Search, alike: Sequence[Outcome]) -> float | None:
    found = []
    for budget in map(parse_budget, search.constraints):
        if budget.relation != "<=" or budget.quantity.figure.foretold_by != _EBOPS:
            continue
        fit = _fit(alike, budget.quantity.name)
        if fit is not None and budget.limit > 0:
            far = max(_FAR, math.exp(3 * fit.deviation))
            found.append(fit.ebops_of(budget.limit * far))
    return float(f"{min(found):.3g}") if found else None


def _fit(outcomes: Sequence[Outcome], name: str) -> _Fit | None:
    pairs = [
        (math.log(outcome.figures[_EBOPS]), math.log(outcome.figures[name]))
        for outcome in outcomes
        if outcome.figures.get(_EBOPS, 0) > 0 and outcome.figures.get(name, 0) > 0
    ]
    if len(pairs) < _ENOUGH or len({x for x, _ in pairs}) < _ENOUGH:
        return None
    slope, offset = statistics.linear_regression(*zip(*pairs, strict=True))
    if slope <= 0:
        return None
    errors = [y - offset - slope * x for x, y in pairs]
    return _Fit(offset, slope, math.sqrt(sum(e * e for e in errors) / (len(errors) - 2)))


def _gains(outcomes: Sequence[Outcome], score: str) -> tuple[float, ...]:
    """For each epoch the greatest gain from there to the end of training, see `Limits.gains`.

    Empty if there are too few curves, or they differ in length.
    """
    trained = [one for one in outcomes if one.state == "done" or one.reason == "estimate"]
    curves = [outcome.curve for outcome in trained if outcome.curve]
    if len(curves) < _ENOUGH or len({len(curve) for curve in curves}) > 1:
        return ()
    goal = Goal(score, find_quantity(score).figure.better)
    return tuple(
        float(f"{max(0.0 - goal.lost(curve[epoch], curve[-1]) for curve in curves):.6g}")
        for epoch in range(len(curves[0]))
    )


def _proxies(search: Search) -> tuple[str, ...]:
    """The figures that predict the objectives before synthesis; empty if an objective has none."""
    found: dict[str, None] = {}
    for name in search.objectives:
        proxies = proxies_of(find_quantity(name).figure)
        if not proxies:
            return ()
        found |= dict.fromkeys(proxies)
    return tuple(found)


def _rivals(alike: Sequence[Outcome], proxies: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    if not proxies or len(alike) < _ENOUGH:
        return ()
    rivals = {
        tuple(outcome.figures[name] for name in proxies)
        for outcome in alike
        if all(name in outcome.figures for name in proxies)
    }
    return tuple(sorted(rivals))


def _no_worse(name: str, theirs: float, own: float) -> bool:
    return no_worse(name, theirs, _SMALLER * own if name == _EBOPS else own)
