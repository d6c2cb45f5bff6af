"""Measures baselines in a process of its own, or finds in a store what was measured before."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.baseline import tflite_worker
from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.network import Network
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
    x: NDArray[np.float32],
    y: NDArray[np.integer[Any]] | None,
    calibration: NDArray[np.float32],
    *,
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
        model: a float tf-keras model in an `.h5` file, of one input and one output.
        x: test inputs [n, *shape].
        y: their labels [n], for accuracy; None if there are none.
        calibration: inputs [m, *shape] that the ranges of int8 are taken from.
        batch: samples that are handed over at once, besides one.
        seconds: time to measure each for.

    Returns:
        Per kind of arithmetic, batch and number of threads a baseline; one per kind with a problem.

    Raises:
        InputError: if the file is no such model or the arrays don't fit it, or if TensorFlow is
            missing.
    """
    _check(model, x, y, calibration)
    processor = this_processor()
    threads = sorted({1, processor.cores})
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        data = Path(folder) / "data.npz"
        arrays = {"x": x, "calibration": calibration} | ({} if y is None else {"y": y})
        np.savez(data, allow_pickle=False, **arrays)
        request = {
            "model": str(model),
            "data": str(data),
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
    version = metadata.version("tensorflow")
    return tuple(
        Baseline(runtime=RUNTIME, version=version, model=kind, cpu=processor.name, **fields)
        for kind in MODELS
        for fields in found[kind]
    )


def obtain(
    store: Store,
    model: Path,
    x: NDArray[np.float32],
    y: NDArray[np.integer[Any]] | None,
    calibration: NDArray[np.float32],
    *,
    batch: int = BATCH,
    seconds: float = SECONDS,
) -> tuple[Baseline, ...]:
    """As `measure`, or what a store has of the same model and data on the same processor.

    Raises:
        InputError: as `measure`.
    """
    _check(model, x, y, calibration)
    processor = this_processor()
    content = {
        "model": hash_file(model),
        "data": [_hash(x), None if y is None else _hash(y), _hash(calibration)],
        "batch": batch,
        "seconds": seconds,
        "cpu": processor.name,
        "cores": processor.cores,
        "versions": {name: _version(name) for name in _LIBRARIES},
        "code": [_code(name) for name in (__file__, tflite_worker.__file__, stopwatch.__file__)],
    }

    def make(_: Path) -> dict[str, Any]:
        found = measure(model, x, y, calibration, batch=batch, seconds=seconds)
        return {"baselines": [one.model_dump(mode="json", exclude_none=True) for one in found]}

    entry = store.obtain("baselines", content, make)
    return tuple(Baseline.model_validate(fields) for fields in entry.record["baselines"])


def _check(model: Path, x: NDArray[Any], y: NDArray[Any] | None, calibration: NDArray[Any]) -> None:
    """Refuse what can be seen to be wrong without TensorFlow."""
    _version("tensorflow")
    source = load(model)
    if isinstance(source, Network) and source.is_quantized:
        raise InputError(
            f"{model}: has QKeras layers, which compute in floating point; give the float model"
        )
    if not len(x) or not len(calibration):
        raise InputError(f"{model}: a baseline needs test inputs and calibration inputs")
    if x.shape[1:] != calibration.shape[1:]:
        raise InputError(
            f"{model}: test inputs have shape {x.shape[1:]}, but calibration inputs have shape "
            f"{calibration.shape[1:]}"
        )
    if y is not None and y.shape != x.shape[:1]:
        raise InputError(f"{model}: {len(x)} test inputs, but labels of shape {y.shape}")


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


def _hash(array: NDArray[Any]) -> str:
    told = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(told + np.ascontiguousarray(array).tobytes()).hexdigest()


def _code(name: str) -> str:
    return hash_file(Path(name))
