"""Trials of a search: parameters and outcomes."""

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
Reason = Literal["compute cost", "training curve", "dominated"]


class Outcome(BaseModel):
    """What came of a trial.

    Attributes:
        state: "done", with every figure that the search weighs; "stopped" early, for
            `reason`; or "failed".
        figures: What was found, by the names of quantities ("TARGET.lut"); nothing estimated.
        expected: What was expected before training; not what the trial would have given.
        curve: Accuracy on the validation data after each epoch of training.
        reason: Why it was stopped.
        error: Why it failed, in a line.
        lasting: Whether the same would come of it again: it is remembered. A process that died or a
            full disk says nothing of the trial.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["done", "stopped", "failed"]
    figures: dict[str, float] = {}
    expected: dict[str, float] = {}
    curve: tuple[float, ...] = ()
    reason: Reason | None = None
    error: str | None = None
    lasting: bool = True


@dataclass(frozen=True)
class Limits:
    """What stops a trial early, by the trials told before it was asked for.

    Attributes:
        ebops: EBOPs above which a constraint would be missed by far; None if that can't be said.
        accuracy: Least validation accuracy that a result must have; 0 if it need not have any.
        gains: Per epoch of training, the most that validation accuracy rose from there to the end;
            empty if that can't be said.
        rivals: Of results told, the figures that `proxies` names.
        proxies: Figures known before synthesis that stand for the objectives; empty if an objective
            has none.
    """

    ebops: float | None = None
    accuracy: float = 0.0
    gains: tuple[float, ...] = ()
    rivals: tuple[tuple[float, ...], ...] = ()
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A trial of a search; trials are numbered from 0 in the order they were asked for."""

    number: int
    point: Point
    outcome: Outcome

    @property
    def name(self) -> str:
        """Of its configuration."""
        return trial_name(self.number)


def trial_name(number: int) -> str:
    """Name of the configuration of the trial of a number."""
    return f"trial{number}"


def values(search: Search, figures: Mapping[str, float]) -> tuple[float, ...]:
    """The objectives' values; KeyError if one is not there."""
    return tuple(figures[name] for name in search.objectives)


def violations(search: Search, figures: Mapping[str, float]) -> dict[str, float]:
    """By how much each constraint is missed, relative to its limit; not above 0 if it is met.

    A figure that is not there misses nothing.
    """
    found = {}
    for text in search.constraints:
        budget = parse_budget(text)
        value = figures.get(budget.quantity.name)
        if value is not None:
            excess = value - budget.limit if budget.relation == "<=" else budget.limit - value
            found[text] = excess / (abs(budget.limit) or 1.0)
    return found


def front(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The results that keep all constraints and that no other betters, by number.

    Of results that are equal in all objectives the first counts.
    """
    signs = [1 if find_quantity(name).figure.better == "less" else -1 for name in search.objectives]
    costs: dict[tuple[float, ...], Trial] = {}
    for trial in trials:
        if trial.outcome.state == "done" and not any(
            amount > 0 for amount in violations(search, trial.outcome.figures).values()
        ):
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
