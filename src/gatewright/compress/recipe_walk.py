"""Runs a recipe: each step is an entry of the store, made in a worker process.

An entry's key covers everything that its model depends on: the model folder's Python files and
their imports of Gatewright, the data, the step's settings, the entry of the step before it, the
teacher, the code of the step, and the versions of the libraries.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.bits import BitsByLayer
from gatewright.compress.code import MODEL_FILE, code_of, sources_of
from gatewright.compress.cost import Cost
from gatewright.compress.dataset import Data, Samples
from gatewright.compress.process import Progress, Worker
from gatewright.compress.recipe import (
    Calibrate,
    Distil,
    FittingStep,
    Hgq2,
    Prune,
    Quantize,
    ReluInteger,
    Step,
    Train,
    Training,
    Transfer,
    check_order,
    finds_bits,
)
from gatewright.errors import DataError, DesignFailure, InputError
from gatewright.frontend.environments import ENVIRONMENTS
from gatewright.metrics import Goal, Metric, named_metric
from gatewright.store import Entry, Store, key_of
from gatewright.system.cache import cache_dir
from gatewright.system.files import hash_file
from gatewright.system.versions import versions_of

#: Files of an entry beside the model, see `docs/recipes.md`.
MASKS = "masks.npz"
OUTPUTS = "outputs.npz"
DATA = "data.npz"

#: Modules on which the data depends, and on which steps depend, with their imports of this package.
_DATA_CODE = ("gatewright.compress.dataset", "gatewright.fixed", "gatewright.metrics")
_STEP_CODE = (
    "gatewright.compress.fit",
    "gatewright.compress.cost",
    "gatewright.compress.model_files",
    "gatewright.metrics",
)
_CODE_OF: dict[type[Step], tuple[str, ...]] = {
    Prune: ("gatewright.compress.prune", "gatewright.compress.remove"),
    Quantize: ("gatewright.compress.quantize",),
    Calibrate: ("gatewright.compress.calibrate",),
    Hgq2: ("gatewright.compress.hgq2", "gatewright.compress.hgq2_worker"),
}
_SEARCH_CODE = "gatewright.compress.sensitivity"
_DATA_LIBRARIES = ("numpy", "scikit-learn", "sktime")
#: Settings of a step that aren't in the key: the key has the contents of what they refer to.
_ELSEWHERE = {"teacher", "model", *FittingStep.model_fields}
_STOPPED = "stopped"
_STEP_LIBRARIES = ("numpy", "tensorflow", "tf-keras", "qkeras")


@dataclass(frozen=True)
class Source:
    """The source of a model and its data.

    Attributes:
        model_dir: Folder of a `model.py` with `load_data(**data)`, `build(**architecture)`,
            `loss()` and `metric()`, see `docs/recipes.md`. Its Python files run as code.
        architecture: Arguments of `build`.
        data: Arguments of `load_data`.
        input_precision: Fixed-point type of the inputs, to which the data is rounded. None leaves
            the data as it is.
    """

    model_dir: Path
    architecture: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    input_precision: str | None = None


@dataclass(frozen=True)
class Scores:
    """The metric of a model.

    Attributes:
        train: On the training data without the validation data.
        validation: On the validation data; None if there is none.
        test: On the test set.
    """

    train: float
    validation: float | None
    test: float


@dataclass(frozen=True)
class StepResult:
    """The result of one step of a recipe.

    Attributes:
        name: The step.
        settings: All of its settings, including those from the configuration, and found bits in
            place of those that it started from.
        key: The key of its entry in the store.
        path: The file of its model, Keras HDF5, or `.keras` of HGQ2; the same content always has
            the same bytes.
        masks: `.npz` file of masks by layer's name, bool of the kernel's shape, False for weights
            that pruning holds at zero; None if nothing is pruned.
        scores: The metric of its model.
        cost: Compute cost of its model; None if a layer's cost isn't known.
        losses: Training loss after each epoch, including the teacher's part and regularization.
        curve: The metric on the validation data after each epoch; empty without such data.
        devices: The devices on which weights were fitted; empty if nothing was fitted.
        framework: What the model is of, with its version, if that isn't tf-keras.
        notes: Lines for the user.
        seconds: Wall time of the step when it was made, in seconds.
        cached: Whether the store already had it.
    """

    name: str
    settings: Mapping[str, Any]
    key: str
    path: Path
    masks: Path | None
    scores: Scores
    cost: Cost | None
    losses: tuple[float, ...]
    curve: tuple[float, ...]
    devices: tuple[str, ...]
    framework: str | None
    notes: tuple[str, ...]
    seconds: float
    cached: bool


@dataclass(frozen=True)
class TrainedModel:
    """The model that a recipe makes, its test set, and the results of the steps.

    Attributes:
        steps: The results in the recipe's order; at least one.
        data: `.npz` file that `Data.load` reads; x is rounded to the inputs' type.
        metric: The metric of all scores; one that is a function of `model.py` can't be computed in
            this process, see `measure_outputs`.
        test: The test set.
        validation_samples: Samples of the validation data; 0 if there is none.
        outputs: The model's predictions for the test set by its own framework, float32 [n, ...] by
            output's name, in the model's order.
        source: The model and its data.
        versions: Versions of the libraries, by name.
    """

    steps: tuple[StepResult, ...]
    data: Path
    metric: Goal
    test: Samples
    validation_samples: int
    outputs: Mapping[str, NDArray[np.float32]]
    source: Source
    versions: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The file of the model."""
        return self.steps[-1].path

    @property
    def key(self) -> str:
        """The store's key of the model."""
        return self.steps[-1].key

    @property
    def framework(self) -> str | None:
        """What the model is of, with its version, if that isn't tf-keras."""
        return self.steps[-1].framework

    @property
    def float_score(self) -> float:
        """The metric on the test set after the first step, whose model is float and not pruned."""
        return self.steps[0].scores.test

    @property
    def quantized_score(self) -> float:
        """The metric of the model on the test set."""
        return self.steps[-1].scores.test

    @property
    def curve(self) -> tuple[float, ...]:
        """The validation metric after each epoch of all steps, in order.

        Empty without validation data, or if a step's epochs aren't known.
        """
        curves = [step.curve for step in self.steps if step.losses]
        return tuple(value for curve in curves for value in curve) if all(curves) else ()

    @property
    def seconds(self) -> float:
        """Wall time of all steps when they were made, in seconds."""
        return sum(step.seconds for step in self.steps)

    @property
    def cached(self) -> bool:
        """Whether the store already had all steps."""
        return all(step.cached for step in self.steps)


class Stopped(DesignFailure):
    """Training was stopped because its validation metric was worse than the limit.

    Attributes:
        curve: The validation metric after each epoch of the recipe so far.
    """

    curve: tuple[float, ...] = ()


def obtain(
    source: Source,
    recipe: Sequence[Step],
    training: Training,
    *,
    bits: BitsByLayer | None = None,
    relu_integer: ReluInteger = 2,
    store: Store | None = None,
    floor: Sequence[float] = (),
    models: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """Make the model of a recipe, or take it, or some of its steps, from the store.

    The result is deterministic on one kind of machine: one thread, seeds, deterministic kernels.
    Several processes can call it at once: if one needs a step that another is making, it waits.

    Args:
        source: The model and its data.
        recipe: The steps.
        training: Settings that apply where a step has none of its own.
        bits: Bits for steps that quantize and have none of their own.
        relu_integer: Integer bits of relus, likewise.
        store: The store; None for the one in the user's cache directory.
        floor: The limit of the validation metric after each epoch, with the epochs of all steps in
            one sequence; training stops at the first epoch that is worse. It needs
            `training.validation`.
        models: Files of models by the names in the recipe; others are files beside model.py.
        progress: Called with a step's name, the epochs done and the total number of epochs.

    Raises:
        InputError: If the recipe or a setting is wrong, a library is missing, or a step fails.
        Stopped: If an epoch is worse than the limit; the store remembers that too.
    """
    check_order(recipe)
    if floor and not training.validation:
        raise InputError("limits of the validation metric need training.validation")
    whole = [_completed(step, training, bits, relu_integer) for step in recipe]
    store = store or Store(cache_dir() / "store")
    results: list[StepResult] = []
    # A process imports model.py and chooses its devices only once.
    folder = source.model_dir.resolve()
    loads = (folder, tuple(sources_of(folder).items()), training.cpu_devices)
    with Worker(source.model_dir.name, loads, progress) as worker:
        maker = _Maker(source, training, store, floor, models or {}, worker)
        for step in whole:
            results.append(maker.make(step, results[-1] if results else None))
    with np.load(results[-1].path.with_name(OUTPUTS), allow_pickle=False) as arrays:
        outputs = dict(arrays)
    data = Data.load(maker.data_file)
    return TrainedModel(
        steps=tuple(results),
        data=maker.data_file,
        metric=maker.metric,
        test=data.test,
        validation_samples=len(data.validation),
        outputs=outputs,
        source=source,
        versions=_versions(_STEP_LIBRARIES),
    )


def measure_outputs(trained: TrainedModel, outputs: Mapping[str, NDArray[Any]]) -> float:
    """The metric of outputs for the test set, for example of hardware.

    Args:
        trained: The model.
        outputs: Outputs of the shapes of `trained.outputs`, by the same names.

    Raises:
        InputError: if a function of `model.py` measures them and fails.
    """
    if isinstance(trained.metric, Metric):
        several = len(outputs) > 1
        return trained.metric.of(
            trained.test.y, outputs if several else next(iter(outputs.values()))
        )
    folder = trained.source.model_dir.resolve()
    loads = (folder, tuple(sources_of(folder).items()), None)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as place:
        file = Path(place) / OUTPUTS
        np.savez(file, allow_pickle=False, **outputs)
        request = {
            "step": "measure",
            "model_file": str(folder / MODEL_FILE),
            "data_file": str(trained.data),
            "outputs_file": str(file),
        }
        with Worker(folder.name, loads, None) as worker:
            measured: float = worker.do(request, Path(place))["test"]
    return measured


def _completed(
    step: Step, training: Training, bits: BitsByLayer | None, relu_integer: ReluInteger
) -> Step:
    """The step with settings from the configuration filled in."""
    update: dict[str, Any] = {}
    if finds_bits(step) and not training.validation:
        raise InputError(f"{step.name}: max_loss needs validation data; set training.validation")
    if isinstance(step, Quantize | Calibrate) and step.bits is None:
        if bits is None:
            raise InputError(f"{step.name}: bits: is missing")
        update["bits"] = bits
    if isinstance(step, Quantize) and step.relu_integer is None:
        update["relu_integer"] = relu_integer
    return step.model_copy(update=update)


@dataclass(frozen=True)
class _Origin:
    """Another model that a step needs, and its key: a hash of its content."""

    path: Path
    key: str


@dataclass(frozen=True)
class _Parents:
    """The models that a step starts from; None for those that it doesn't need."""

    before: StepResult | None = None
    teacher: _Origin | None = None
    origin: _Origin | None = None


class _BelowFloorError(Exception):
    """Training was stopped; carries the record to keep."""

    def __init__(self, curve: list[float], seconds: float) -> None:
        super().__init__(curve)
        self.curve = curve
        self.record = {"curve": curve, "seconds": seconds}


class _Maker:
    """Makes the steps of a recipe, or takes them from the store."""

    def __init__(
        self,
        source: Source,
        training: Training,
        store: Store,
        floor: Sequence[float],
        models: Mapping[str, Path],
        worker: Worker,
    ) -> None:
        self._source = source
        self._training = training
        self._store = store
        self._floor = list(floor)
        self._models = models
        self._worker = worker
        self._curve: tuple[float, ...] = ()
        self._model_file = source.model_dir.resolve() / MODEL_FILE
        self._own_float: _Origin | None = None  # of the recipe's `train`
        data = self._make_data()
        self._data_key, self.data_file = data.key, data.directory / DATA
        self.metric = _metric(data.record["metric"])

    def _make_data(self) -> Entry:
        content = {
            "sources": sources_of(self._model_file.parent),
            "arguments": dict(self._source.data),
            "input_precision": self._source.input_precision,
            "validation": self._training.validation,
            "code": code_of(*_DATA_CODE),
            "versions": _versions(_DATA_LIBRARIES, needed=False),
        }
        request = content | {"step": "data", "model_file": str(self._model_file)}

        def make(folder: Path) -> Mapping[str, Any]:
            try:
                return self._worker.do(request, folder)
            except InputError as error:
                raise DataError(str(error)) from error

        if self._store.find(key_of("data", content)) is None:
            self._worker.start()  # it loads while this process waits for another one's entry
        return self._store.obtain("data", content, make)

    def make(self, step: Step, before: StepResult | None) -> StepResult:
        """Make the next step of the recipe, which starts from `before`."""
        teacher = self._teacher(step) if isinstance(step, Distil) else None
        origin = self._given(step.model) if isinstance(step, Transfer) else None
        parents = _Parents(before, teacher, origin)
        result = self._step(step, parents, self._floor[len(self._curve) :])
        self._curve += result.curve
        if isinstance(step, Train):
            self._own_float = _Origin(result.path, result.key)
        return result

    def _teacher(self, step: Distil) -> _Origin:
        if step.teacher is None:
            assert self._own_float is not None  # `check_order` has checked it
            return self._own_float
        if step.teacher.model is not None:
            return self._given(step.teacher.model)
        maker = copy.copy(self)
        maker._source = replace(self._source, architecture=step.teacher.architecture or {})
        made = maker._step(Train(), _Parents(), [])
        return _Origin(made.path, made.key)

    def _given(self, name: str) -> _Origin:
        """A model that the recipe names."""
        path = self._models.get(name, self._model_file.parent / name)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        return _Origin(path, hash_file(path))

    def _step(self, step: Step, parents: _Parents, floor: list[float]) -> StepResult:
        """The result of a step, which is made if the store doesn't have it.

        If training is stopped, the store gets an entry that says so, without a model.
        """
        fits = isinstance(step, FittingStep)
        training = _laid_over(self._training, step)
        floor = floor[: training.epochs] if fits else []
        content = self._content(step, parents, training if fits else None)
        request = content | self._request(step, parents, training) | {"floor": floor}
        entry = self._obtain(step.name, content, request, floor)
        # A finished training from the store is stopped where training now would have stopped.
        curve = entry.record["curve"]
        for epoch, (reached, limit) in enumerate(zip(curve, floor, strict=False), 1):
            if self.metric.worse(reached, limit):
                raise self._stop(curve[:epoch], floor)
        return _result(step, training if fits else None, entry)

    def _content(self, step: Step, parents: _Parents, training: Training | None) -> dict[str, Any]:
        """Everything that the result of a step depends on."""
        before, teacher, origin = parents.before, parents.teacher, parents.origin
        builds = before is None or isinstance(step, Hgq2)
        return {
            "settings": step.model_dump(mode="json", exclude=_ELSEWHERE, exclude_none=True),
            "training": training.model_dump() if training is not None else None,
            "architecture": dict(self._source.architecture) if builds else None,
            "parent": before.key if before is not None else None,
            "data": self._data_key,  # covers the model's sources and its inputs' type too
            "teacher": teacher.key if teacher is not None else None,
            "origin": origin.key if origin is not None else None,
            "code": code_of(*_STEP_CODE, *_code_of(step)),
            "versions": _versions(_STEP_LIBRARIES),
        } | _environment(step)

    def _request(self, step: Step, parents: _Parents, training: Training) -> dict[str, Any]:
        """The part of the worker's request that isn't in the key: the locations of files."""
        before, teacher, origin = parents.before, parents.teacher, parents.origin
        return {
            "step": step.name,
            "settings": step.model_dump(mode="json", exclude_none=True),
            "training": training.model_dump(),
            "model_file": str(self._model_file),
            "data_file": str(self.data_file),
            "parent": str(before.path) if before is not None else None,
            "masks": str(before.masks) if before is not None and before.masks else None,
            "teacher": str(teacher.path) if teacher is not None else None,
            "origin": str(origin.path) if origin is not None else None,
            "input_precision": self._source.input_precision,
        }

    def _obtain(
        self, name: str, content: dict[str, Any], request: dict[str, Any], floor: list[float]
    ) -> Entry:
        """The entry of a step, from the store or made now.

        Raises:
            Stopped: if its training was stopped, now or according to the store.
        """

        def make(folder: Path) -> Mapping[str, Any]:
            began = time.monotonic()
            measured = self._worker.do(request, folder)
            if measured["stopped"]:
                raise _BelowFloorError(measured["curve"], round(time.monotonic() - began, 3))
            return measured

        stopped = {"step": name, "content": content, "floor": floor}
        if floor and self._store.find(key_of(name, content)) is None:
            known = self._store.find(key_of(_STOPPED, stopped))
            if known is not None:
                raise self._stop(known.record["curve"], floor)
        try:
            return self._store.obtain(name, content, make)
        except _BelowFloorError as below:
            record = below.record
            self._store.obtain(_STOPPED, stopped, lambda _: record)
            raise self._stop(below.curve, floor) from None

    def _stop(self, curve: list[float], floor: list[float]) -> Stopped:
        whole = (*self._curve, *curve)
        stopped = Stopped(
            f"{self._source.model_dir.name}: training stopped, {self.metric.name} "
            f"{curve[-1]:.4g} on the validation data is worse than {floor[len(curve) - 1]:.4g} in "
            f"epoch {len(whole)}"
        )
        stopped.curve = whole
        return stopped


def _metric(record: Mapping[str, Any]) -> Goal:
    """The metric that a worker has read; without its function if that is in `model.py`."""
    if record["named"] is not None:
        return named_metric(record["named"], record["output"])
    return Goal(record["name"], record["better"])


def _laid_over(training: Training, step: Step) -> Training:
    """The settings of fitting: the step's own, else the recipe's."""
    own = {key: getattr(step, key, None) for key in FittingStep.model_fields}
    return training.model_copy(update={key: v for key, v in own.items() if v is not None})


def _environment(step: Step) -> dict[str, Any]:
    """What the result of a step also depends on that is done in a front end of its own."""
    if step.environment is None:
        return {}
    return {"environment": hash_file(ENVIRONMENTS[step.environment].constraints)}


def _code_of(step: Step) -> tuple[str, ...]:
    """The modules that only this step depends on."""
    return (*_CODE_OF.get(type(step), ()), *([_SEARCH_CODE] if finds_bits(step) else []))


def _result(step: Step, training: Training | None, entry: Entry) -> StepResult:
    record = entry.record
    scores, cost, masks = record["scores"], record["cost"], entry.directory / MASKS
    return StepResult(
        name=step.name,
        settings=step.model_dump(mode="json", exclude_none=True)
        | ({"bits": record["bits"]} if record.get("bits") else {})
        | (training.model_dump(exclude_none=True) if training is not None else {}),
        key=entry.key,
        path=entry.directory / step.model_file,
        masks=masks if masks.is_file() else None,
        scores=Scores(scores["train"], scores.get("validation"), scores["test"]),
        cost=Cost(**cost) if cost is not None else None,
        losses=tuple(record["losses"]),
        curve=tuple(record["curve"]),
        devices=tuple(record["devices"]),
        framework=record.get("framework"),
        notes=tuple(record["notes"]),
        seconds=entry.seconds,
        cached=entry.cached,
    )


def _versions(libraries: Sequence[str], *, needed: bool = True) -> dict[str, str]:
    """The versions of the installed libraries.

    Raises:
        InputError: if a needed library is missing.
    """
    found = versions_of(libraries)
    missing = [name for name, version in found.items() if version is None]
    if missing and needed:
        raise InputError(f"training a model needs {missing[0]}: pip install 'gatewright[zoo]'")
    return {name: version for name, version in found.items() if version is not None}
