"""The search that found the configurations, and its trials."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import ByKey, Count, Integer, Name, Real

_STATES = {"stopped": "was stopped", "failed": "failed"}


class SearchTrial(Part):
    """A trial of a search and its result."""

    number: Count
    """Index of the trial, from 0, in the order in which the sampler proposed them."""
    config: Name
    """Name of its configuration."""
    state: Literal["done", "stopped", "failed"]
    """Whether it completed, was stopped early (`reason`), or failed (`error`)."""
    point: dict[str, str] = Field(default_factory=dict)
    """Values of the varied settings, as a sweep file writes them, by path in a configuration, for
    example "bits.hidden1.weights"; in the order of the search space."""
    figures: Annotated[dict[str, Real], ByKey] = Field(default_factory=dict)
    """Figures of the trial, by the names that budgets use, in the units that reports use. A
    resource without a target is that on the target of the configuration."""
    estimated: Annotated[dict[str, Real], ByKey] = Field(default_factory=dict)
    """Estimates of figures that were not measured, because the trial was stopped before synthesis;
    with names and units as in `figures`."""
    reason: Name | None = None
    """Why it was stopped."""
    error: Name | None = None
    """Why it failed, in one line."""
    front: bool = False
    """Whether it is on the front of the search: it meets all constraints, and no other trial that
    does dominates it. Of trials with equal objectives the first is on the front."""

    @model_validator(mode="after")
    def _consistent(self) -> SearchTrial:
        for field, state in (("reason", "stopped"), ("error", "failed")):
            if (getattr(self, field) is not None) != (self.state == state):
                only = f"a trial has a field '{field}' if and only if it {_STATES[state]}"
                raise ValueError(f"trial {self.number}: {only}")
        if self.estimated and self.state != "stopped":
            raise ValueError(f"trial {self.number}: has estimates, but it was not stopped")
        if self.front and self.state != "done":
            raise ValueError(f"trial {self.number}: on the front, but it {_STATES[self.state]}")
        return self


class Search(Part):
    """The search that found the configurations of a sweep."""

    sampler: Name
    """The sampler that proposed the trials, for example "TPESampler"."""
    tool: str | None = None
    """The library of the sampler, for example "Optuna"."""
    version: str | None = None
    """Version of that library."""
    seed: Integer | None = None
    """Seed of the sampler (a number)."""
    trials: tuple[SearchTrial, ...]
    """All trials, including those that were stopped early or failed, by number."""
    objectives: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Figures that were optimized, by the names that budgets use, for example "accuracy" or
    "TARGET.lut"; the figure says whether more or less is better. A resource without a target is
    weighed on every target."""
    constraints: tuple[Name, ...] = ()
    """Limits that a trial had to meet, written like budgets, for example "latency_ns<=100"."""

    @model_validator(mode="after")
    def _consistent(self) -> Search:
        refuse_duplicates("trial", (str(trial.number) for trial in self.trials))
        refuse_duplicates("configuration", (trial.config for trial in self.trials))
        refuse_duplicates("objective", self.objectives)
        return self

    @property
    def completed(self) -> tuple[SearchTrial, ...]:
        """Trials that completed."""
        return tuple(trial for trial in self.trials if trial.state == "done")

    @property
    def stopped(self) -> dict[str, int]:
        """Number of trials that were stopped early, by reason."""
        reasons = Counter(trial.reason for trial in self.trials if trial.reason is not None)
        return dict(sorted(reasons.items()))

    @property
    def failed(self) -> tuple[SearchTrial, ...]:
        """Trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == "failed")
