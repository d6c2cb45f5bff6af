"""Samplers, which choose the points of a search: a list, a grid, or a sampler of Optuna."""

from __future__ import annotations

import json
import random
import warnings
from typing import TYPE_CHECKING, Any, Protocol

from gatewright.errors import InputError
from gatewright.explore.space import Choices, Point, Range, grid, size
from gatewright.report.figures import find_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna

    from gatewright.explore.space import Dimension, Search

# After so many repeated points in a row, a new one is drawn at random.
_PATIENCE = 20
# If so many draws give no new point, the space counts as exhausted.
_DRAWS = 10_000


class Sampler(Protocol):
    """Chooses points one after another, from the results of earlier points."""

    def ask(self) -> Point | None:
        """The next point, which is always a new one; None if there are no more."""
        ...

    def tell(
        self, number: int, values: Sequence[float] | None, violations: Mapping[str, float]
    ) -> None:
        """Take in the result of a point.

        Args:
            number: The number of the point, from 0 in the order of `ask`.
            values: The values of the objectives; None if not known.
            violations: For each constraint how much it is violated; 0 or less if it is met.
        """
        ...


def make_sampler(search: Search) -> Sampler:
    """The sampler that a search names.

    Raises:
        InputError: if it needs Optuna, which isn't installed, or a point isn't in the space.
    """
    if search.sampler == "list":
        return _Listed(search.points)
    if search.sampler == "grid":
        return _Listed([*search.points, *grid(search)])
    return _Optuna(search)


class _Listed:
    """A sampler of points that are known beforehand."""

    def __init__(self, points: Iterable[Point]) -> None:
        self._points = iter({_identity(point): point for point in points}.values())

    def ask(self) -> Point | None:
        return next(self._points, None)

    def tell(
        self, number: int, values: Sequence[float] | None, violations: Mapping[str, float]
    ) -> None:
        pass


class _Optuna:
    """A sampler of Optuna with a study in memory: the same results lead to the same points."""

    def __init__(self, search: Search) -> None:
        self._optuna = _import_optuna()
        self._search = search
        self._distributions = {
            path: _distribution(self._optuna, dimension) for path, dimension in search.space.items()
        }
        self._study = self._optuna.create_study(
            sampler=_sampler(self._optuna, search),
            directions=[
                "minimize" if find_quantity(name).figure.better == "less" else "maximize"
                for name in search.objectives
            ],
        )
        for number, point in enumerate(search.points):
            self._study.enqueue_trial(
                {
                    path: _encode(search.space[path], value, f"search.points.{number}: {path}")
                    for path, value in point.items()
                }
            )
        self._given: set[str] = set()
        self._trials: list[optuna.Trial] = []
        self._random = random.Random(search.seed)  # noqa: S311 - repeatable, no secret

    def ask(self) -> Point | None:
        if len(self._given) >= size(self._search):
            return None
        for _ in range(_PATIENCE):
            trial = self._study.ask(self._distributions)
            point = self._point(trial)
            if _identity(point) not in self._given:
                return self._give(trial, point)
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        for _ in range(_DRAWS):
            drawn = {
                path: _draw(self._random, distribution)
                for path, distribution in self._distributions.items()
            }
            point = {path: self._value(path, raw) for path, raw in drawn.items()}
            if _identity(point) not in self._given:
                self._study.enqueue_trial(drawn)
                return self._give(self._study.ask(self._distributions), point)
        return None

    def tell(
        self, number: int, values: Sequence[float] | None, violations: Mapping[str, float]
    ) -> None:
        trial = self._trials[number]
        if values is None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            return
        for name, amount in violations.items():
            trial.set_constraint(name, amount)
        self._study.tell(trial, list(values))

    def _give(self, trial: optuna.Trial, point: Point) -> Point:
        self._given.add(_identity(point))
        self._trials.append(trial)
        return point

    def _point(self, trial: optuna.Trial) -> Point:
        return {path: self._value(path, trial.params[path]) for path in self._search.space}

    def _value(self, path: str, raw: Any) -> Any:
        return _decode(self._search.space[path], raw)


def _identity(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def _sampler(module: Any, search: Search) -> Any:
    if search.sampler == "random":
        return module.samplers.RandomSampler(seed=search.seed)
    if search.sampler == "nsga2":
        # With Optuna's population of 50, a search of 50 trials would have only one generation.
        population = max(8, search.trials // 5)
        return module.samplers.NSGAIISampler(population_size=population, seed=search.seed)
    return module.samplers.TPESampler(
        multivariate=True, n_startup_trials=max(8, search.trials // 5), seed=search.seed
    )


def _distribution(module: Any, dimension: Dimension) -> Any:
    """Optuna's distribution of a dimension. Listed values are numbered, which keeps their order."""
    kinds = module.distributions
    if isinstance(dimension, Choices):
        count = len(dimension.values)
        if dimension.ordered:
            return kinds.IntDistribution(0, count - 1)
        return kinds.CategoricalDistribution(tuple(range(count)))
    if dimension.log or dimension.values is None:
        kind = kinds.IntDistribution if dimension.whole else kinds.FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)
    return kinds.IntDistribution(0, len(dimension.values) - 1)


def _counted(dimension: Dimension) -> tuple[Any, ...] | None:
    """The values that Optuna gets as numbers; None if it gets the values themselves."""
    return None if isinstance(dimension, Range) and dimension.log else dimension.values


def _decode(dimension: Dimension, raw: Any) -> Any:
    values = _counted(dimension)
    if values is not None:
        return values[raw]
    return float(f"{raw:.6g}") if isinstance(raw, float) else raw


def _encode(dimension: Dimension, value: Any, where: str) -> Any:
    values = _counted(dimension)
    if values is not None and value in values:
        return values.index(value)
    if values is None and isinstance(dimension, Range) and dimension.low <= value <= dimension.high:
        return value
    raise InputError(f"{where}: {value!r} is not in the space")


def _draw(source: random.Random, distribution: Any) -> Any:
    if hasattr(distribution, "choices"):
        return source.choice(distribution.choices)
    if isinstance(distribution.low, int):
        return source.randint(distribution.low, distribution.high)
    return source.uniform(distribution.low, distribution.high)


def _import_optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise InputError("a search needs Optuna: pip install 'gatewright[explore]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
