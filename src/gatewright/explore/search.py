"""The order of a search, which doesn't depend on the number of workers.

The sampler chooses trial n once it was told the results of trials 0 to n - window. It is told in
the order of their numbers, whichever ends first. So the knowledge of the sampler and of early
stopping at each choice depends on the search only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gatewright.errors import DataError, GatewrightError
from gatewright.explore.early_stopping import estimate, limits
from gatewright.explore.outcome import Outcome, Trial, violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from gatewright.explore.outcome import Limits
    from gatewright.explore.sampler import Sampler
    from gatewright.explore.space import Point, Search


class Start(Protocol):
    """Starts a trial."""

    def __call__(self, number: int, point: Point, limits: Limits, /) -> Future[Outcome]:
        """Start a trial at a point, with limits for early stopping."""
        ...


def run_trials(
    search: Search,
    sampler: Sampler,
    start: Start,
    ended: Callable[[list[Trial]], None] = lambda _: None,
) -> list[Trial]:
    """Run the trials of a search.

    Args:
        search: The search.
        sampler: A new sampler.
        start: Starts a trial. If its future raises a `GatewrightError`, the trial has failed.
        ended: Called after each trial with all trials so far, in the order of their numbers.

    Returns:
        All trials, in the order of their numbers.

    Raises:
        DataError: if the first trial can't load the data.
    """
    told: list[Trial] = []
    started: list[tuple[Point, Future[Outcome]]] = []
    exhausted = False
    while True:
        while not exhausted and len(started) < min(search.trials, len(told) + search.window):
            point = sampler.ask()
            if point is None:
                exhausted = True
            else:
                started.append((point, start(len(started), point, limits(search, told, point))))
        if len(told) == len(started):
            return told
        point, future = started[len(told)]
        trial = Trial(len(told), point, outcome_of(future, first=not told))
        _tell(search, sampler, told, trial)
        told.append(trial)
        ended(told)


def outcome_of(future: Future[Outcome], *, first: bool = False) -> Outcome:
    """The outcome of a trial; a trial that raises a `GatewrightError` has failed.

    Raises:
        DataError: if this is the first trial, and it can't load the data.
    """
    try:
        return future.result()
    except GatewrightError as error:
        # A later point may have wrong settings of the data; if the first fails, all may.
        if first and isinstance(error, DataError):
            raise
        return Outcome(state="failed", error=str(error), lasting=False)


def _tell(search: Search, sampler: Sampler, told: list[Trial], trial: Trial) -> None:
    if trial.outcome.state == "failed":
        sampler.tell(trial.number, None, {})
        return
    figures = dict(trial.outcome.figures)
    if trial.outcome.state == "stopped":
        figures = estimate(search, told, trial)
    missing = [name for name in search.objectives if name not in figures]
    values = None if missing else [figures[name] for name in search.objectives]
    sampler.tell(trial.number, values, violations(search, figures))
