"""Loads the data of a recipe with model.py, rounds it to a fixed-point type, and splits it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow, Rounding, from_float, to_float
from gatewright.parsing.samples import require_finite

# The split is the same for every training seed, so that accuracies can be compared.
_SPLIT_SEED = 0


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


def load_arrays(
    module: ModuleType,
    arguments: Mapping[str, Any],
    input_precision: str | None,
    validation: float,
) -> dict[str, NDArray[Any]]:
    """Load a model's data.

    Args:
        module: The module of a model.py.
        arguments: Arguments of its `load_data`.
        input_precision: Fixed-point type to which x is rounded; None leaves it as it is.
        validation: Fraction of the training data for validation, stratified by class; always the
            same samples.

    Returns:
        `x_train`, `y_train`, `x_validation`, `y_validation`, `x_test` and `y_test`: x float32
        [n, *shape], y int64 [n].

    Raises:
        InputError: if the data can't be split so, or x isn't finite.
    """
    x_train, y_train, x_test, y_test = module.load_data(**arguments)
    for name, array in (("x_train", x_train), ("x_test", x_test)):
        require_finite(f"load_data of {module.__file__}", name, np.asarray(array, np.float64))
    x_train, x_test = (
        np.asarray(x, np.float32) if input_precision is None else on_grid(x, input_precision)
        for x in (x_train, x_test)
    )
    y_train, y_test = (np.asarray(y, np.int64) for y in (y_train, y_test))
    x_validation, y_validation = x_train[:0], y_train[:0]
    if validation:
        from sklearn.model_selection import train_test_split

        try:
            x_train, x_validation, y_train, y_validation = train_test_split(
                x_train,
                y_train,
                test_size=validation,
                stratify=y_train,
                random_state=_SPLIT_SEED,
            )
        except ValueError as error:
            raise InputError(f"validation: {validation} of the data: {error}") from None
    return {
        "x_train": x_train,
        "y_train": y_train,
        "x_validation": x_validation,
        "y_validation": y_validation,
        "x_test": x_test,
        "y_test": y_test,
    }
