"""The section `search` of a sweep file: its space, objectives, constraints and budget of trials.

```yaml
search:
  base: uniform6                    # a config of the sweep, or the keys of one
  space:                            # what varies, by its place in a config
    bits.hidden1.weights: [2, 3, 4, 6]                    # choices
    architecture.hidden1: {low: 8, high: 32, step: 4}     # a range, ends included
    recipe.1.prune.amount: {low: 0.2, high: 0.8}          # step 1 of the recipe, counted from 0
    conversion.reuse_factor: [1, 4, 16]
  objectives: [accuracy, lut]       # figures of the report; accuracy and error on validation data
  constraints: ["dsp<=0", "latency_ns<=100"]
  trials: 50
```

Further keys are described at `Search`.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from gatewright.compress.recipe import Seed
from gatewright.errors import InputError
from gatewright.parsing.strict import Strict, first_problem
from gatewright.report.budget import parse_budgets
from gatewright.report.figures import find_quantity
from gatewright.zoo import Config, Sweep, load_sweep

MOST_TRIALS = 100_000
"""Most trials of a search."""

_MOST_VALUES = 100_000  # most values of a range with steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: A value for each path of the space.
Point = dict[str, Any]


class Choices(Strict):
    """A list of values."""

    values: Annotated[tuple[Any, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Choices:
        if any(a == b for a, b in itertools.combinations(self.values, 2)):
            raise ValueError("a choice is given twice")
        return self

    @property
    def first(self) -> Any:
        """The first value."""
        return self.values[0]

    @property
    def ordered(self) -> bool:
        """Whether the values are numbers in rising order."""
        numbers = all(type(value) in (int, float) for value in self.values)
        return numbers and list(self.values) == sorted(self.values)


class Range(Strict):
    """Numbers from `low` to `high`, both included; integers if both ends are.

    Attributes:
        low: The least number.
        high: The greatest number.
        step: The difference between numbers; None for 1 if they are integers, else for any number.
        log: Whether the logarithm is distributed evenly, instead of the number.
    """

    low: int | float
    high: int | float
    step: int | float | None = Field(default=None, gt=0)
    log: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> Range:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be below high, both of them numbers")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("a logarithmic range starts above 0 and has no step")
        step = self.step or (1 if self.whole else None)
        if step is not None and (self.high - self.low) / step >= _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES:,} numbers; write a greater step")
        if self.step is not None:
            steps = (self.high - self.low) / self.step
            if abs(steps - round(steps)) > 1e-9 * steps:
                raise ValueError("high must be a whole number of steps above low")
            if self.whole and not isinstance(self.step, int):
                raise ValueError("low and high are whole numbers, so the step must be one, too")
        return self

    @property
    def first(self) -> Any:
        """The least number."""
        return self.low

    @property
    def whole(self) -> bool:
        """Whether its numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def values(self) -> tuple[Any, ...] | None:
        """Its numbers in rising order; None if it has no step."""
        step = self.step or (1 if self.whole else None)
        if step is None:
            return None
        count = round((self.high - self.low) / step)
        if self.whole:
            return tuple(range(int(self.low), int(self.high) + 1, int(step)))
        inner = (self.low + i * step for i in range(count))
        return (*(float(f"{value:.12g}") for value in inner), float(self.high))


def _dimension(value: Any) -> Any:
    if isinstance(value, list):
        return {"values": tuple(value)}
    if not isinstance(value, dict):
        raise ValueError("write choices, [2, 3, 4], or a range, {low: 2, high: 8}")
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _quantity(name: str) -> str:
    """Check and complete the name of a figure; accuracy and error mean those of validation data."""
    try:
        quantity = find_quantity(name)
    except InputError as error:
        raise ValueError(str(error)) from None
    scores = {"accuracy": "accuracy_validation", "error": "error_validation"}
    return scores.get(quantity.name, quantity.name)


def _budgets(texts: Any) -> tuple[str, ...]:
    """Expand constraints, so that each limits one figure: "fits=PART" limits several."""
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError('write a list of limits, ["lut<=20000"]')
    try:
        budgets = [budget for text in texts for budget in parse_budgets(text)]
    except InputError as error:
        raise ValueError(str(error)) from None
    return tuple(
        f"{_quantity(budget.quantity.name)}{budget.relation}{budget.limit:.12g}"
        for budget in budgets
    )


Dimension = Annotated[Choices | Range, BeforeValidator(_dimension)]
_Objective = Annotated[str, AfterValidator(_quantity)]


class Rules(Strict):
    """The rules that stop trials early; all are on by default.

    Attributes:
        ebops: Stop before training if the compute cost shows that a constraint will be missed by
            far.
        curve: Stop during training if the metric is so bad that later epochs can't make up for
            it.
        dominated: Stop before synthesis if another trial is at least as good in all respects.
        estimate: Stop before synthesis if the estimated hardware shows that the trial is surely not
            on the front.
    """

    ebops: bool = True
    curve: bool = True
    dominated: bool = True
    estimate: bool = True


class Search(Strict):
    """The section `search` of a sweep file.

    Attributes:
        base: The part that is the same in all trials: the name of a config, or the keys of one,
            which override the sweep's defaults.
        space: The part that varies: dotted paths into a config, each with choices or a range.
        points: Points to try first, each with values for some or all paths; other paths keep the
            base's value.
        objectives: Figures to optimize, by their names in reports; each figure knows whether more
            or less is better.
        constraints: Limits that results must meet, written as budgets: "lut<=20000"; "fits=PART"
            is one for each resource.
        trials: Number of trials.
        sampler: How points are chosen: "tpe" (tree-structured Parzen estimator, for several
            objectives: Ozaki et al., 2022) or "nsga2" (Deb et al., 2002) of Optuna; "random";
            "grid" for all combinations in order; "list" for `points` only.
        window: Number of trials that may run in parallel. Trial n is chosen with the results of
            trials 0 to n - window, whatever the number of workers; more workers than `window` are
            idle.
        seed: Seed of the sampler.
        seeds: Number of seeds with which each configuration of the front is made: its own, and
            those that follow it.
        validation: Fraction of the training data for validation, whose metric is the objective.
        stop: Rules for early stopping.
    """

    base: str | dict[str, Any]
    space: dict[str, Dimension] = Field(default_factory=dict)
    points: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_tuple)] = ()
    objectives: Annotated[
        tuple[_Objective, ...], BeforeValidator(_tuple), Field(min_length=1, max_length=4)
    ] = ("accuracy_validation", "lut")
    constraints: Annotated[tuple[str, ...], BeforeValidator(_budgets)] = ()
    trials: int = Field(default=50, ge=1, le=MOST_TRIALS)
    sampler: Literal["tpe", "nsga2", "random", "grid", "list"] = "tpe"
    window: int = Field(default=8, ge=1, le=1000)
    seed: Seed = 0
    seeds: int = Field(default=1, ge=1, le=1000)
    validation: float = Field(default=0.2, gt=0, lt=1)
    stop: Rules = Rules()

    @model_validator(mode="after")
    def _sensible(self) -> Search:
        if self.sampler == "list":
            if not self.points:
                raise ValueError("the sampler 'list' tries 'points', but there are none")
        elif not self.space:
            raise ValueError("there is no 'space' to search")
        for number, point in enumerate(self.points):
            if odd := sorted(set(point) - set(self.space)) if self.space else []:
                raise ValueError(f"points.{number}: '{odd[0]}' is not in the space")
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("an objective is given twice")
        if self.sampler == "grid":
            for path, dimension in self.space.items():
                if dimension.values is None:
                    raise ValueError(f"space.{path}: a grid needs a step")
        return self


@dataclass(frozen=True)
class Plan:
    """A search in a sweep, which makes a configuration from each point.

    Attributes:
        sweep: The sweep.
        search: The search.
        base: The keys of a config that are the same in all trials.
    """

    sweep: Sweep
    search: Search
    base: Mapping[str, Any]

    def config(self, name: str, point: Point) -> Config:
        """The configuration of a point.

        Raises:
            InputError: if a path doesn't exist, or the configuration is wrong.
        """
        where = f"{name} of the search"
        try:
            fields = lay_over(self.base, point)
        except InputError as error:
            raise InputError(f"{self.sweep.file}: {where}: {error}") from None
        training = fields.get("training")
        if isinstance(training, dict):
            training["validation"] = self.search.validation
        return self.sweep.make_config(fields | {"name": name}, where)


def load_search(path: Path, trials: int | None = None) -> Plan:
    """Read and check a sweep file with a section `search`.

    Args:
        path: The file, or the model's folder.
        trials: Number of trials; None for the file's.

    Raises:
        InputError: if the file or one of its keys is wrong.
    """
    sweep = load_sweep(path)
    if sweep.search is None:
        raise InputError(f"{sweep.file}: has no section 'search'; see docs/explore.md")
    written = dict(sweep.search) | ({} if trials is None else {"trials": trials})
    try:
        search = Search.model_validate(written)
    except ValidationError as error:
        raise InputError(f"{sweep.file}: search: {first_problem(error)}") from None
    plan = Plan(sweep, search, _base(sweep, search))
    # Check one point: an error in it is likely in every trial.
    first = {path: dimension.first for path, dimension in search.space.items()}
    for point in search.points or (first,):
        plan.config("trial0", first | point)
    return plan


def _base(sweep: Sweep, search: Search) -> dict[str, Any]:
    """All keys of the config from which trials start, in the form of a sweep file."""
    if isinstance(search.base, str):
        config = sweep.config(search.base)
    else:
        config = sweep.make_config(search.base | {"name": "base"}, "base of the search")
    return as_written(config)


def as_written(config: Config) -> dict[str, Any]:
    """All keys of a config except its name, in the form of a sweep file."""
    fields = config.model_dump(mode="json", exclude_none=True, exclude={"name", "recipe"})
    recipe = [
        {step.name: step.model_dump(mode="json", exclude_none=True)} for step in config.recipe
    ]
    return fields | {"recipe": recipe}


def grid(search: Search) -> Iterator[Point]:
    """All combinations of the space's values; the last path varies fastest."""
    values = [dimension.values or () for dimension in search.space.values()]
    for combination in itertools.product(*values):
        yield dict(zip(search.space, combination, strict=True))


def size(search: Search) -> float:
    """The number of points in the space; infinite if a range has no steps."""
    found = [dimension.values for dimension in search.space.values()]
    return math.inf if None in found else math.prod(len(values or ()) for values in found)


def lay_over(fields: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The keys of a config with the values of a point at their paths.

    If a path goes deeper than the config does, short forms are expanded: a number of bits to that
    of weights and activations, or to the default of all layers; a step of a recipe to its name with
    settings.

    Raises:
        InputError: if a path doesn't exist.
    """
    laid = copy.deepcopy(dict(fields))
    for path, value in point.items():
        *way, last = _parts(path)
        place: Any = laid
        for depth in range(len(way)):
            place = _step_into(place, way[: depth + 1], path)
        if isinstance(place, list):
            place[_index(place, last, path)] = value
        else:
            place[last] = value
    return laid


def _parts(path: str) -> list[str]:
    """The keys of a path; settings of a conversion have dots in their names."""
    settings = "conversion.settings."
    if path.startswith(settings):
        return ["conversion", "settings", path.removeprefix(settings)]
    return path.split(".")


def _step_into(place: Any, way: list[str], path: str) -> Any:
    """The value under the last key of `way`, with a short form expanded in place."""
    key, above = way[-1], way[-2] if len(way) > 1 else ""
    if isinstance(place, list):
        index = _index(place, key, path)
        if isinstance(place[index], str):
            place[index] = {place[index]: {}}
        return place[index]
    inner = place.get(key)
    if inner is None and above == "bits":
        inner = copy.deepcopy(place.get("default"))
    if inner is None:
        if way[-3:-2] == ["recipe"]:
            raise InputError(f"space.{path}: this step is {', '.join(place)}, not {key}")
        inner = {}
    if not isinstance(inner, dict | list):
        if key == "bits":
            inner = {"default": inner}
        elif above == "bits":
            inner = {"weights": inner, "activations": inner}
        else:
            raise InputError(f"space.{path}: '{key}' is {inner!r}, which has no parts")
    place[key] = inner
    return inner


def _index(place: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise InputError(f"space.{path}: there is no item '{key}'; items are 0 to {len(place) - 1}")
    return int(key)
