"""How configurations were found by a search, and what they were chosen from."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import ByKey, Count, Integer, Name, Real

_STATES = {"stopped": "was stopped", "failed": "failed"}


class SearchTrial(Part):
    """A trial of a search: what was tried, and what came of it."""

    number: Count
    """Index of the trial, from 0, in the order they were asked for."""
    config: Name
    """Name of its configuration."""
    state: Literal["done", "stopped", "failed"]
    """Whether it came to a result, was stopped early (`reason`), or failed."""
    point: dict[str, str] = Field(default_factory=dict)
    """What was varied, in the order of the search's space: per place in a configuration, for
    example "bits.hidden1.weights", the value as a sweep file has it."""
    figures: Annotated[dict[str, Real], ByKey] = Field(default_factory=dict)
    """Figures that were found, by the names that budgets use, in the units of the report's own. A
    resource without a target is that on the target of the configuration."""
    reason: Name | None = None
    """Why it was stopped."""
    error: Name | None = None
    """Why it failed, in a line."""
    front: bool = False
    """Whether it is on the front of the search: it keeps all constraints, and no other trial that
    does betters it. Of trials with equal objectives the first is on it."""

    @model_validator(mode="after")
    def _consistent(self) -> SearchTrial:
        for field, state in (("reason", "stopped"), ("error", "failed")):
            if (getattr(self, field) is not None) != (self.state == state):
                only = f"a trial has a field '{field}' if it {_STATES[state]}, and only then"
                raise ValueError(f"trial {self.number}: {only}")
        if self.front and self.state != "done":
            raise ValueError(f"trial {self.number}: on the front, but it {_STATES[self.state]}")
        return self


class Search(Part):
    """How the configurations of a sweep were found, and what they were chosen from."""

    sampler: Name
    """What chose the trials, for example "TPESampler"."""
    tool: str | None = None
    """Where the sampler is from, for example "Optuna"."""
    version: str | None = None
    """Version of that tool."""
    seed: Integer | None = None
    """Seed of the sampler (a number)."""
    trials: tuple[SearchTrial, ...]
    """All that were run, those stopped early and those that failed included, by number."""
    objectives: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Figures that were weighed, by the names that budgets use, for example "accuracy" or
    "TARGET.lut"; which way is better follows from the figure. Without a target a resource is
    weighed on each."""
    constraints: tuple[Name, ...] = ()
    """Limits that a trial had to keep, written as budgets are, for example "latency_ns<=100"."""

    @model_validator(mode="after")
    def _consistent(self) -> Search:
        refuse_duplicates("trial", (str(trial.number) for trial in self.trials))
        refuse_duplicates("configuration", (trial.config for trial in self.trials))
        refuse_duplicates("objective", self.objectives)
        return self

    @property
    def completed(self) -> tuple[SearchTrial, ...]:
        """Trials that came to a result."""
        return tuple(trial for trial in self.trials if trial.state == "done")

    @property
    def stopped(self) -> dict[str, int]:
        """How many trials were stopped early, per reason."""
        reasons = Counter(trial.reason for trial in self.trials if trial.reason is not None)
        return dict(sorted(reasons.items()))

    @property
    def failed(self) -> tuple[SearchTrial, ...]:
        """Trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == "failed")
