"""Metrics: how well the outputs of a model, or of its hardware, fit their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError

Better = Literal["more", "less"]
"""Which values of a metric are better."""

Tensors = NDArray[Any] | Mapping[str, NDArray[Any]]
"""An array [n, ...]; or several, by the names of a model's inputs or outputs."""


# An error of less counts as this much where another one is divided by it.
_LEAST = 1e-30


@dataclass(frozen=True)
class Goal:
    """The name of a metric, and which values are better.

    Attributes:
        name: Its name in reports, for example "mean squared error".
        better: "more" for shares from 0 to 1, "less" for errors, which are 0 at best.
    """

    name: str
    better: Better

    @property
    def kind(self) -> Literal["accuracy", "error"]:
        """The part of a report that holds it."""
        return "accuracy" if self.better == "more" else "error"

    def worse(self, value: float, limit: float) -> bool:
        """Whether a value is worse than a limit."""
        return value < limit if self.better == "more" else value > limit

    def lost(self, before: float, after: float) -> float:
        """What a change costs, 0 or more if it is worse.

        Shares are subtracted; the rise of an error is a fraction of the error before.
        """
        if self.better == "more":
            return before - after
        return (after - before) / max(before, _LEAST)


@dataclass(frozen=True)
class Metric(Goal):
    """A number that says how well a model does its task.

    Attributes:
        measure: Function of targets and outputs [n, ...], outputs in float64, so that the same
            numbers give the same value wherever they come from. If it is measured on all of
            several outputs, both are dictionaries by output's name.
        output: Name of the output that it is measured on; None if the model has one only, or if
            `measure` takes all of them.
        named: Its key in `METRICS`; None for a function of a model's owner.
    """

    measure: Callable[[Any, Any], float]
    output: str | None = None
    named: str | None = None

    def of(self, targets: Tensors, outputs: Tensors) -> float:
        """The metric of outputs.

        Args:
            targets: What the outputs should be, or labels of classes; [n, ...].
            outputs: Outputs for the same samples, [n, ...].

        Raises:
            InputError: if targets and outputs don't fit each other or the metric, or the value is
                no share from 0 to 1 where more is better, or no error of 0 or more.
        """
        if self.output is not None or self.named is not None:
            targets, outputs = self._chosen("target", targets), self._chosen("output", outputs)
        value = float(self.measure(targets, _precise(outputs)))
        most = 1.0 if self.better == "more" else np.inf
        if not 0 <= value <= most or not np.isfinite(value):
            kind = "a share from 0 to 1" if self.better == "more" else "an error of 0 or more"
            raise InputError(f"metric '{self.name}' is {value:g}; it must be {kind}")
        return value

    def _chosen(self, what: str, arrays: Tensors) -> NDArray[Any]:
        """The arrays that a metric of one output is measured on."""
        if not isinstance(arrays, Mapping):
            return arrays
        names = ", ".join(arrays)
        if self.output is None:
            raise InputError(
                f"metric '{self.name}' is of one output; metric() in model.py must name it, "
                f"{{NAME: '{self.named}'}}, from {names}"
            )
        if self.output not in arrays:
            raise InputError(f"metric(): there is no {what} '{self.output}'; choose from {names}")
        return arrays[self.output]


def _precise(tensors: Tensors) -> Tensors:
    """The same numbers as float64."""
    if isinstance(tensors, Mapping):
        return {name: np.asarray(array, np.float64) for name, array in tensors.items()}
    return np.asarray(tensors, np.float64)


def _accuracy(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    flat = _flat(outputs)
    if flat.shape[1] < 2:
        raise InputError(
            f"outputs {_shape(outputs)} are no scores of classes, so they have no top-1 accuracy; "
            f"metric() in model.py, or --metric, names another: {', '.join(METRICS)}"
        )
    if targets.shape == (len(flat),):
        labels = targets
    elif _flat(targets).shape == flat.shape:
        labels = _flat(targets).argmax(axis=1)
    else:
        raise InputError(
            f"targets {_shape(targets)} are neither labels [{len(flat)}] nor scores like the "
            f"outputs, {_shape(outputs)}"
        )
    if not np.array_equal(labels, np.round(labels)):
        raise InputError("labels of classes must be whole numbers")
    if labels.min() < 0 or labels.max() >= flat.shape[1]:
        raise InputError(
            f"labels are from {labels.min():g} to {labels.max():g}, but there are {flat.shape[1]} "
            f"classes"
        )
    return float(np.mean(flat.argmax(axis=1) == labels))


def _binary(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    targets, outputs = _alike(targets, outputs)
    if outputs.min() < 0 or outputs.max() > 1:
        raise InputError(
            f"outputs are from {outputs.min():g} to {outputs.max():g}, and so no probabilities; "
            "for logits there is 'binary accuracy of logits'"
        )
    return _agreement(targets, outputs > 0.5)


def _binary_of_logits(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    targets, outputs = _alike(targets, outputs)
    return _agreement(targets, outputs > 0)


def _agreement(targets: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """The share of elements whose target, 0 or 1, agrees."""
    return float(np.mean(_zero_or_one(targets) == positive))


def _zero_or_one(targets: NDArray[Any]) -> NDArray[Any]:
    if not np.isin(targets, (0, 1)).all():
        raise InputError("targets of this metric must be 0 or 1")
    return targets


def _squared(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    targets, outputs = _alike(targets, outputs)
    return float(np.mean((outputs - targets) ** 2))


def _absolute(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    targets, outputs = _alike(targets, outputs)
    return float(np.mean(np.abs(outputs - targets)))


def _auc(targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    targets, outputs = _alike(targets, outputs)
    if outputs.shape[1] != 1 or len(np.unique(_zero_or_one(targets))) != 2:
        raise InputError("AUC needs one score for each sample, and targets that are 0 and 1")
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError:
        raise InputError("AUC needs scikit-learn: pip install 'gatewright[zoo]'") from None
    return float(roc_auc_score(targets[:, 0], outputs[:, 0]))


def _alike(
    targets: NDArray[Any], outputs: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64 [n, elements].

    Raises:
        InputError: if they don't have the same number of elements.
    """
    found = _flat(targets).astype(np.float64), _flat(outputs).astype(np.float64)
    if found[0].shape != found[1].shape:
        raise InputError(
            f"targets {_shape(targets)} and outputs {_shape(outputs)} have different shapes"
        )
    return found


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array).reshape(len(array), -1)


def _shape(array: NDArray[Any]) -> str:
    return str(list(np.shape(array)))


_SHARES: Final = (
    ("accuracy", "top-1 accuracy", _accuracy),
    ("binary accuracy", "binary accuracy", _binary),
    ("binary accuracy of logits", "binary accuracy", _binary_of_logits),
    ("AUC", "AUC", _auc),
)
_ERRORS: Final = (
    ("mean squared error", _squared),
    ("mean absolute error", _absolute),
)

METRICS: Final[Mapping[str, Metric]] = {
    key: Metric(name, "more", measure, named=key) for key, name, measure in _SHARES
} | {name: Metric(name, "less", measure, named=name) for name, measure in _ERRORS}
"""The metrics that have names in `model.py` and on the command line.

"accuracy" is the share of samples whose largest output is at the label's index, or at that of the
largest target. The other ones weigh all elements alike: "binary accuracy" with targets of 0 and 1
against probabilities above 0.5 or logits above 0, "AUC" is the area under the receiver operating
characteristic of one score (scikit-learn's `roc_auc_score`).
"""

ACCURACY: Final = METRICS["accuracy"]


def named_metric(key: str, output: str | None = None) -> Metric:
    """A metric of `METRICS`.

    Args:
        key: Its name.
        output: The output that it is measured on, if the model has several.

    Raises:
        InputError: if there is none of that name.
    """
    if key not in METRICS:
        raise InputError(f"there is no metric '{key}'; choose from {', '.join(METRICS)}")
    return replace(METRICS[key], output=output)


def usual_metric(targets: Tensors) -> Metric | None:
    """The metric of targets that nobody has named one for.

    It is accuracy for labels of classes, whole numbers [n]; there is none for others.
    """
    if isinstance(targets, Mapping) or targets.ndim != 1:
        return None
    return ACCURACY if np.array_equal(targets, np.round(targets)) else None
