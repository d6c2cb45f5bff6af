"""Trials of a search, their outcomes and limits, and the Pareto front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from gatewright.report.budget import parse_budget
from gatewright.report.figures import find_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.explore.space import Point, Search

#: Why a trial was stopped early.
Reason = Literal["compute cost", "training curve", "dominated", "estimate"]


class Outcome(BaseModel):
    """The outcome of a trial.

    Attributes:
        state: "done" with all figures that the search needs; "stopped" early for `reason`; or
            "failed".
        figures: Its figures by the names of quantities, such as "TARGET.lut"; none is estimated.
        expected: Estimates: of EBOPs before training, of resources and timing before synthesis.
        errors: For each estimated resource the greatest relative error that its cost model states.
        curve: Accuracy on the validation data after each epoch of training, from 0 to 1.
        reason: Why it was stopped; None if it wasn't.
        error: Why it failed, in one line; None if it didn't.
        lasting: Whether the same trial would have the same outcome again, so that the store keeps
            it. False for a process that died or a full disk.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["done", "stopped", "failed"]
    figures: dict[str, float] = {}
    expected: dict[str, float] = {}
    errors: dict[str, float] = {}
    curve: tuple[float, ...] = ()
    reason: Reason | None = None
    error: str | None = None
    lasting: bool = True


@dataclass(frozen=True)
class EstimateLimits:
    """The limits that stop a trial by the estimate of its hardware.

    Attributes:
        constraints: The constraints of the search.
        judged: Names of figures by which the objectives are judged: of the objective itself if it
            is estimated with a known error, else of a figure that is known before synthesis and
            predicts it; empty if an objective has neither.
        rivals: Figures of results that meet all constraints, each in the order of `judged`.
        overestimated: By name of a figure, the greatest relative excess of an estimate over what
            synthesis found.
    """

    constraints: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    rivals: tuple[tuple[float, ...], ...] = ()
    overestimated: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Limits:
    """The limits that stop a trial early, from the trials that ended before it was chosen.

    Attributes:
        ebops: EBOPs above which a constraint would be missed by far; None if not known.
        score: The figure of the validation metric that the search weighs, "accuracy_validation" or
            "error_validation".
        worst: The worst value of it that the constraints allow; None for no limit.
        gains: For each epoch how much better it got at most from there to the end: the rise of an
            accuracy, or the fall of an error as a fraction of the error at that epoch; empty
            if not known.
        rivals: The figures of other results, each in the order of `proxies`.
        proxies: Names of figures known before synthesis that predict the objectives; empty if an
            objective has none.
        estimate: The limits for the estimate of its hardware; None for no estimate.
    """

    ebops: float | None = None
    score: str = "accuracy_validation"
    worst: float | None = None
    gains: tuple[float, ...] = ()
    rivals: tuple[tuple[float, ...], ...] = ()
    proxies: tuple[str, ...] = ()
    estimate: EstimateLimits | None = None


@dataclass(frozen=True)
class Trial:
    """A trial of a search. Trials are numbered from 0 in the order in which they are chosen."""

    number: int
    point: Point
    outcome: Outcome

    @property
    def name(self) -> str:
        """The name of its configuration."""
        return trial_name(self.number)


def trial_name(number: int) -> str:
    """The name of the configuration of the trial with this number."""
    return f"trial{number}"


def values(search: Search, figures: Mapping[str, float]) -> tuple[float, ...]:
    """The values of the objectives, in order.

    Raises:
        KeyError: if a figure is missing.
    """
    return tuple(figures[name] for name in search.objectives)


def violations(search: Search, figures: Mapping[str, float]) -> dict[str, float]:
    """How much each constraint is violated, as a fraction of its limit; 0 or less if it is met.

    Constraints on missing figures are left out.
    """
    found = {}
    for text in search.constraints:
        budget = parse_budget(text)
        value = figures.get(budget.quantity.name)
        if value is not None:
            excess = value - budget.limit if budget.relation == "<=" else budget.limit - value
            found[text] = excess / (abs(budget.limit) or 1.0)
    return found


def valid(search: Search, outcome: Outcome) -> bool:
    """Whether a trial has a result that meets all constraints."""
    amounts = violations(search, outcome.figures).values()
    return outcome.state == "done" and not any(amount > 0 for amount in amounts)


def front(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The Pareto front: results that meet all constraints and that no other dominates, by number.

    Among results that are equal in all objectives, the first counts.
    """
    signs = [1 if find_quantity(name).figure.better == "less" else -1 for name in search.objectives]
    costs: dict[tuple[float, ...], Trial] = {}
    for trial in trials:
        if valid(search, trial.outcome):
            own = values(search, trial.outcome.figures)
            cost = tuple(sign * value for sign, value in zip(signs, own, strict=True))
            costs.setdefault(cost, trial)
    return sorted(
        (
            trial
            for cost, trial in costs.items()
            if not any(
                other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
                for other in costs
            )
        ),
        key=lambda trial: trial.number,
    )
