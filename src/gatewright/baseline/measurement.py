"""Measures baselines in a process of its own, or finds in a store what was measured before."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright import metrics
from gatewright.baseline import tflite_worker
from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.network import Network
from gatewright.metrics import ACCURACY, Metric, Tensors
from gatewright.report.schema import Baseline
from gatewright.system import processes, stopwatch
from gatewright.system.files import hash_file
from gatewright.system.processor import this_processor
from gatewright.system.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.store import Store

MODELS = ("float32", "int8", "dynamic range")
"""Kinds of arithmetic, as `Baseline.model` names them."""

RUNTIME = "TensorFlow Lite"
BATCH = 256
SECONDS = 0.5

_WORKER = "gatewright.baseline.tflite_worker"
_LIBRARIES = ("tensorflow", "tf-keras", "numpy")


def measure(
    model: Path,
    x: Tensors,
    y: Tensors | None,
    calibration: Tensors,
    *,
    metric: Metric = ACCURACY,
    batch: int = BATCH,
    seconds: float = SECONDS,
) -> tuple[Baseline, ...]:
    """Measure a float model under TensorFlow Lite on this processor, in each kind of arithmetic.

    Each of `MODELS` runs with a single sample and with a batch, with one thread and with one per
    core. Only the runtime's call is timed, inputs in place, after a warm-up, until `seconds` have
    passed and 50 calls at least are timed; see the baselines' `method`. What can't be converted or
    run is a baseline with a `problem`. Other work on the machine disturbs the figures: measure when
    nothing else runs.

    A quantized QKeras model is no baseline: it computes in floating point what hardware computes in
    integers. The float network in TensorFlow Lite's own 8 bits stands in for it.

    Args:
        model: a float tf-keras model in an `.h5` file.
        x: test inputs [n, *shape]; by name if the model has several inputs.
        y: their targets [n, ...], by name if it has several outputs; None if there are none.
        calibration: inputs [m, *shape] that the ranges of int8 are taken from, likewise.
        metric: what is measured of the outputs.
        batch: samples that are handed over at once, besides one.
        seconds: time to measure each for.

    Returns:
        Per kind of arithmetic, batch and number of threads a baseline; one per kind with a problem.

    Raises:
        InputError: if the file is no such model, the arrays don't fit it or the metric, or
            TensorFlow is missing.
    """
    _check(model, x, y, calibration)
    processor = this_processor()
    threads = sorted({1, processor.cores})
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        request = {
            "model": str(model),
            "folder": folder,
            "x": _saved(Path(folder) / "x.npz", x),
            "calibration": _saved(Path(folder) / "calibration.npz", calibration),
            "batches": sorted({1, batch}),
            "threads": threads,
            "seconds": seconds,
        }
        found: dict[str, list[dict[str, Any]]] = {}
        while waiting := [kind for kind in MODELS if kind not in found]:
            results, end = _work(request | {"models": waiting})
            found |= results
            if unfinished := [kind for kind in waiting if kind not in found]:
                # It died over this one; the others may still be measured.
                found[unfinished[0]] = [{"problem": end}]
        for fields in (each for kind in MODELS for each in found[kind]):
            outputs = fields.pop("outputs", None)
            if y is not None and outputs is not None:
                fields |= {
                    metric.kind: metric.of(y, _loaded(Path(folder) / outputs)),
                    "metric": metric.name,
                    "samples": _count(x),
                }
    version = metadata.version("tensorflow")
    return tuple(
        Baseline(runtime=RUNTIME, version=version, model=kind, cpu=processor.name, **fields)
        for kind in MODELS
        for fields in found[kind]
    )


def obtain(
    store: Store,
    model: Path,
    x: Tensors,
    y: Tensors | None,
    calibration: Tensors,
    *,
    metric: Metric = ACCURACY,
    of_metric: Mapping[str, Any] | None = None,
    batch: int = BATCH,
    seconds: float = SECONDS,
) -> tuple[Baseline, ...]:
    """As `measure`, or what a store has of the same model and data on the same processor.

    Args:
        store: The store.
        model: As for `measure`, like all that follow but one.
        x: Test inputs.
        y: Their targets.
        calibration: Inputs for ranges.
        metric: What is measured of the outputs.
        of_metric: What else the metric depends on, for example the code of its function.
        batch: Samples at once.
        seconds: Time for each.

    Raises:
        InputError: as `measure`.
    """
    _check(model, x, y, calibration)
    processor = this_processor()
    content = {
        "model": hash_file(model),
        "data": [_hash(x), None if y is None else _hash(y), _hash(calibration)],
        "metric": {"name": metric.name, "output": metric.output, "named": metric.named},
        "of_metric": dict(of_metric or {}),
        "batch": batch,
        "seconds": seconds,
        "cpu": processor.name,
        "cores": processor.cores,
        "versions": {name: _version(name) for name in _LIBRARIES},
        "code": [
            _code(name)
            for name in (__file__, tflite_worker.__file__, stopwatch.__file__, metrics.__file__)
        ],
    }

    def make(_: Path) -> dict[str, Any]:
        found = measure(model, x, y, calibration, metric=metric, batch=batch, seconds=seconds)
        return {"baselines": [one.model_dump(mode="json", exclude_none=True) for one in found]}

    entry = store.obtain("baselines", content, make)
    return tuple(Baseline.model_validate(fields) for fields in entry.record["baselines"])


def _check(model: Path, x: Tensors, y: Tensors | None, calibration: Tensors) -> None:
    """Refuse what can be seen to be wrong without TensorFlow."""
    _version("tensorflow")
    source = load(model)
    if isinstance(source, Network) and source.is_quantized:
        raise InputError(
            f"{model}: has QKeras layers, which compute in floating point; give the float model"
        )
    given, ranged = _by_name(x), _by_name(calibration)
    if not _count(x) or not _count(calibration):
        raise InputError(f"{model}: a baseline needs test inputs and calibration inputs")
    if given.keys() != ranged.keys():
        raise InputError(
            f"{model}: test inputs are {', '.join(given)}, but calibration inputs are "
            f"{', '.join(ranged)}"
        )
    for name, array in given.items():
        if array.shape[1:] != ranged[name].shape[1:]:
            raise InputError(
                f"{model}: test inputs have shape {array.shape[1:]}, but calibration inputs have "
                f"shape {ranged[name].shape[1:]}"
            )
    for array in _by_name(y).values() if y is not None else ():
        if len(array) != _count(x):
            raise InputError(
                f"{model}: {_count(x)} test inputs, but targets of shape {array.shape}"
            )


def _by_name(tensors: Tensors) -> Mapping[str, NDArray[Any]]:
    """Arrays by name; "" for a single one."""
    return tensors if isinstance(tensors, Mapping) else {"": tensors}


def _count(tensors: Tensors) -> int:
    return len(next(iter(_by_name(tensors).values())))


def _saved(file: Path, tensors: Tensors) -> str:
    """The name of a file with arrays by name, see `tflite_worker`."""
    arrays = {f"/{name}": array for name, array in _by_name(tensors).items()}
    np.savez(file, allow_pickle=False, **arrays)
    return str(file)


def _loaded(file: Path) -> Tensors:
    """Outputs that a worker has saved."""
    with np.load(file, allow_pickle=False) as held:
        arrays = dict(held)
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def _work(request: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """What a worker found per kind of arithmetic, and how it ended if it came not to the last.

    Raises:
        InputError: if it refused.
    """
    environment = os.environ | {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    done = processes.run(
        [sys.executable, "-m", _WORKER],
        input_text=json.dumps(request),
        env=environment,
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        message = json.loads(line) if line.startswith('{"') else {}
        if "refused" in message:
            raise InputError(message["refused"])
        if "measured" in message:
            found[message["measured"]] = message["baselines"]
    return found, _end(done.returncode, done.stderr)


def _end(status: int, log: str) -> str:
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    said: Sequence[str] = [line.strip() for line in log.splitlines() if line.strip()]
    return f"its process ended with status {status}" + (f": {said[-1]}" if said else "")


def _version(library: str) -> str:
    found = version_of(library)
    if found is None:
        raise InputError(f"a baseline needs {library}: pip install 'gatewright[keras]'")
    return found


def _hash(tensors: Tensors) -> str:
    found = hashlib.sha256()
    for name, array in sorted(_by_name(tensors).items()):
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _code(name: str) -> str:
    return hash_file(Path(name))
