"""Loads the data of a recipe with model.py, rounds it to a fixed-point type, and splits it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow, Rounding, from_float, to_float
from gatewright.metrics import Metric, Tensors, named_metric, usual_metric
from gatewright.parsing.samples import require_finite

# The split is the same for every training seed, so that metrics can be compared.
_SPLIT_SEED = 0


@dataclass(frozen=True)
class Samples:
    """Inputs of a model with their targets.

    Attributes:
        x: Inputs, float32 [n, *shape]; a dictionary by name if the model has several.
        y: Targets: labels of classes, int64 [n], or what the outputs should be, float32 [n, ...]; a
            dictionary by output's name if the model has several.
    """

    x: Tensors
    y: Tensors

    def __len__(self) -> int:
        return len(next(_arrays(self.x))[1])

    def inputs(self, names: list[str]) -> list[NDArray[Any]]:
        """The inputs in the order of a model's names of them.

        Raises:
            InputError: if one is missing.
        """
        return in_order(self.x, names, "input")

    def part(self, rows: Any) -> Samples:
        """Some of the samples: a slice, or indices."""
        return Samples(_each(self.x, lambda a: a[rows]), _each(self.y, lambda a: a[rows]))


@dataclass(frozen=True)
class Data:
    """The data of a model; `validation` is empty if none is set apart."""

    train: Samples
    validation: Samples
    test: Samples

    def save(self, file: Path) -> None:
        """Write it into an `.npz` file: `x_train`, or `x_train/NAME` for each of several inputs."""
        arrays = {
            f"{what}_{part}{key and f'/{key}'}": array
            for part, samples in vars(self).items()
            for what, tensors in vars(samples).items()
            for key, array in _arrays(tensors)
        }
        np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, file: Path) -> Data:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as held:
            arrays = dict(held)

        def tensors(name: str) -> Tensors:
            several = {
                key.partition("/")[2]: array
                for key, array in arrays.items()
                if key.startswith(f"{name}/")
            }
            return several or arrays[name]

        train, validation, test = (
            Samples(tensors(f"x_{part}"), tensors(f"y_{part}"))
            for part in ("train", "validation", "test")
        )
        return cls(train, validation, test)


def in_order(tensors: Tensors, names: list[str], what: str) -> list[NDArray[Any]]:
    """The arrays of several tensors in the order of names; of a single one without its name.

    Args:
        tensors: The arrays.
        names: Names of a model's inputs or outputs.
        what: "input" or "output", for messages.

    Raises:
        InputError: if one is missing.
    """
    if not isinstance(tensors, Mapping):
        tensors = {names[0]: tensors}  # the others are missing
    if sorted(tensors) != sorted(names):
        raise InputError(
            f"arrays are given for {', '.join(tensors)}; the model's {what}s are {', '.join(names)}"
        )
    return [tensors[name] for name in names]


def load_model_module(file: Path) -> ModuleType:
    """Run a model's model.py and return it as a module."""
    spec = importlib.util.spec_from_file_location(f"gatewright_model_{file.parent.name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_grid(x: NDArray[np.floating[Any]], precision: str) -> NDArray[np.float32]:
    """Round x to the nearest value of a fixed-point type, with saturation.

    Raises:
        InputError: if the type can't be parsed.
    """
    grid = replace(FixedType.parse(precision), rounding=Rounding.RND, overflow=Overflow.SAT)
    return to_float(from_float(x, grid), grid.frac).astype(np.float32)


def load_data(
    module: ModuleType,
    arguments: Mapping[str, Any],
    input_precision: str | None,
    validation: float,
) -> Data:
    """Load a model's data.

    Args:
        module: The module of a model.py.
        arguments: Arguments of its `load_data`.
        input_precision: Fixed-point type to which x is rounded; None leaves it as it is.
        validation: Fraction of the training data for validation; always the same samples,
            stratified if the targets are labels of classes.

    Raises:
        InputError: if the data can't be split so, or isn't finite.
    """
    x_train, y_train, x_test, y_test = module.load_data(**arguments)
    origin = f"load_data of {module.__file__}"
    given = _read(origin, "y_train", y_train), _read(origin, "y_test", y_test)
    shares = read_metric(module, given[0]).better == "more"

    def rounded(array: NDArray[Any]) -> NDArray[np.float32]:
        return (
            array.astype(np.float32) if input_precision is None else on_grid(array, input_precision)
        )

    train, test = (
        Samples(
            _each(_read(origin, f"x_{part}", x), rounded),
            _each(y, lambda array: _target(array, labels=shares)),
        )
        for part, x, y in (("train", x_train, given[0]), ("test", x_test, given[1]))
    )
    _check_counts(origin, "train", train)
    _check_counts(origin, "test", test)
    held = train.part(slice(0))
    if validation:
        from sklearn.model_selection import train_test_split

        try:
            kept, set_apart = train_test_split(
                np.arange(len(train)),
                test_size=validation,
                stratify=train.y if shares and usual_metric(train.y) else None,
                random_state=_SPLIT_SEED,
            )
        except ValueError as error:
            raise InputError(f"validation: {validation} of the data: {error}") from None
        train, held = train.part(kept), train.part(set_apart)
    return Data(train, held, test)


def read_metric(module: ModuleType, targets: Tensors) -> Metric:
    """The metric that a model.py names; without `metric()` that of labels of classes.

    Args:
        module: The module of a model.py.
        targets: Targets of the data.

    Raises:
        InputError: if `metric()` returns something else than a name, a `Metric` or a dictionary of
            one name by output, or is missing where the targets aren't labels.
    """
    if not hasattr(module, "metric"):
        usual = usual_metric(targets)
        if usual is None:
            raise InputError(
                "the targets aren't labels of classes, so model.py needs a function metric() that "
                "returns the name of one, for example 'mean squared error'"
            )
        return usual
    found = module.metric()
    if isinstance(found, Metric):
        return replace(found, named=None)
    if isinstance(found, str):
        return named_metric(found)
    if isinstance(found, dict) and len(found) == 1:
        ((output, name),) = found.items()
        if isinstance(output, str) and isinstance(name, str):
            return named_metric(name, output)
    raise InputError(
        "metric() in model.py must return the name of a metric, a dictionary of one name by "
        f"output, or a gatewright.metrics.Metric, not {found!r:.80}"
    )


def _read(origin: str, name: str, given: Any) -> Tensors:
    """Arrays of finite numbers."""
    if isinstance(given, Mapping):
        if not given:
            raise InputError(f"{origin}: {name} is an empty dictionary")
        return {str(key): _finite(origin, f"{name}[{key!r}]", each) for key, each in given.items()}
    return _finite(origin, name, given)


def _finite(origin: str, name: str, given: Any) -> NDArray[Any]:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise InputError(f"{origin}: {name} is no array of numbers [n, ...], but {array.dtype}")
    require_finite(origin, name, array)
    return array


def _target(array: NDArray[Any], *, labels: bool) -> NDArray[Any]:
    """Integers as int64, others as float32; of `labels`, whole numbers count as integers."""
    if array.ndim == 1 and (array.dtype.kind in "biu" or (labels and _whole(array))):
        return array.astype(np.int64)
    return array.astype(np.float32)


def _whole(array: NDArray[Any]) -> bool:
    return np.array_equal(array, np.round(array))


def _check_counts(origin: str, part: str, samples: Samples) -> None:
    for what, tensors in vars(samples).items():
        for key, array in _arrays(tensors):
            if len(array) != len(samples) or not len(array):
                name = f"{what}_{part}" + (f"['{key}']" if key else "")
                raise InputError(f"{origin}: {name} has {len(array)} samples, not {len(samples)}")


def _arrays(tensors: Tensors) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays with their names; "" for a single one."""
    if isinstance(tensors, Mapping):
        yield from tensors.items()
    else:
        yield "", tensors


def _each(tensors: Tensors, change: Any) -> Tensors:
    if isinstance(tensors, Mapping):
        return {key: change(array) for key, array in tensors.items()}
    changed: NDArray[Any] = change(tensors)
    return changed
