"""Trained models of the zoo, cached by content.

A cache entry is a folder named by the hash of all that goes into the training: the model's Python
files, the config's bits, input type and training settings, and the versions of the libraries. It is
filled under a temporary name and renamed when complete, and the files are checked against their
hashes when read, so that a partial or damaged entry is never used but made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.cache import cache_dir
from gatewright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gatewright.zoo.sweep import Config, Sweep

    Progress = Callable[[str, int, int], None]

# What the weights depend on besides the model's own files: versions, and files beside this one.
_LIBRARIES = ("tensorflow", "tf-keras", "qkeras", "numpy", "scikit-learn", "sktime")
_PROCEDURE = ("_fit.py", "data.py", "layers.py")
_RECORD = "training.json"

MODEL = "model.h5"
DATA = "data.npz"
_WORKER = "gatewright.zoo._fit"


@dataclass(frozen=True)
class TrainedModel:
    """A trained quantized model with its test set, and how good it is.

    `path` is a Keras HDF5 file, the same bytes for the same content. An accuracy is the share of
    test inputs whose largest Keras output stands at the label; `float_accuracy` is that of the same
    architecture unquantized, on the same inputs.
    """

    path: Path
    key: str
    float_accuracy: float
    quantized_accuracy: float
    x: NDArray[np.float32]  # test inputs [n, *shape], on the grid of the config's input type
    y: NDArray[np.int64]  # labels [n]
    outputs: NDArray[np.float32]  # Keras' predictions for x [n, classes]
    losses: tuple[float, ...]  # training loss after each epoch
    seconds: float  # wall time of the training, of this model alone, whenever it was trained
    cached: bool  # nothing was trained in this call
    versions: dict[str, str]


@dataclass(frozen=True)
class _Entry:
    directory: Path
    record: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    cached: bool

    @property
    def model(self) -> Path:
        return self.directory / MODEL


def train(
    sweep: Sweep,
    config: Config,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train a config of a sweep from its float baseline, or find both in the cache.

    Training is deterministic for one machine type: one thread, seeded, deterministic kernels. The
    model's Python files run as code. Safe to call from several processes at once: the second waits
    for the first and then finds the entry.

    Args:
        sweep: where the model is.
        config: one of `sweep.configs`.
        cache: folder of the cache entries, made if need be; default `zoo` in the user's cache.
        progress: called with ("float" or "quantized", epochs done, epochs to do).

    Raises:
        InputError: if a library of the `zoo` extra is missing, or the training fails.
    """
    cache = cache or cache_dir() / "zoo"
    baseline = _entry(sweep, config, cache, None, progress)
    trained = _entry(sweep, config, cache, baseline, progress)
    return TrainedModel(
        path=trained.model,
        key=trained.directory.name,
        float_accuracy=baseline.record["accuracy"],
        quantized_accuracy=trained.record["accuracy"],
        x=trained.arrays["x"],
        y=trained.arrays["y"],
        outputs=trained.arrays["outputs"],
        losses=tuple(trained.record["losses"]),
        seconds=trained.record["seconds"],
        cached=baseline.cached and trained.cached,
        versions=trained.record["versions"],
    )


def _entry(
    sweep: Sweep,
    config: Config,
    cache: Path,
    baseline: _Entry | None,
    progress: Progress | None,
) -> _Entry:
    """The cache entry of the config's quantized model; without a baseline, of the baseline."""
    content = {
        "sources": {
            file.relative_to(sweep.model_dir).as_posix(): _sha256(file)
            for file in sorted(sweep.model_dir.glob("*.py"))
        },
        "procedure": {name: _sha256(Path(__file__).with_name(name)) for name in _PROCEDURE},
        "versions": _versions(),
        "training": config.training.model_dump(),
        "input_precision": config.input_precision,
        "bits": None
        if baseline is None
        else {layer: bits.model_dump(exclude_none=True) for layer, bits in config.bits.items()},
        "baseline": None if baseline is None else baseline.directory.name,
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
    directory = cache.resolve() / key
    if entry := _read(directory, cached=True):
        return entry
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory.with_suffix(".lock")):
        if entry := _read(directory, cached=True):
            return entry
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{key}-") as scratch:
            made = Path(scratch) / key
            made.mkdir()
            request = content | {
                "model_file": str(sweep.model_dir / "model.py"),
                "baseline": None if baseline is None else str(baseline.model),
                "output_dir": str(made),
            }
            kind = "float" if baseline is None else "quantized"
            measured = _run_worker(
                request, f"{sweep.name}: training '{config.name}' ({kind})", kind, progress
            )
            hashes = {name: _sha256(made / name) for name in (MODEL, DATA)}
            record = content | measured | {"sha256": hashes}
            (made / _RECORD).write_text(json.dumps(record, indent=1) + "\n")
            # Whatever stands there failed the check above.
            shutil.rmtree(directory, ignore_errors=True)
            made.rename(directory)
        entry = _read(directory, cached=False)
    if entry is None:
        raise InputError(
            f"{directory}: what was just written can't be read back; is the disk full?"
        )
    return entry


def _read(directory: Path, *, cached: bool) -> _Entry | None:
    """A complete and undamaged cache entry, or None."""
    try:
        record = json.loads((directory / _RECORD).read_text())
        if any(_sha256(directory / name) != known for name, known in record["sha256"].items()):
            return None
        with np.load(directory / DATA, allow_pickle=False) as data:
            arrays = {name: data[name] for name in ("x", "y", "outputs")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        return None
    return _Entry(directory, record, arrays, cached)


def _run_worker(
    request: dict[str, Any], what: str, kind: str, progress: Progress | None
) -> dict[str, Any]:
    """Train in a process of its own: TensorFlow's settings are global and its import is slow."""
    environment = os.environ | {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # The same arithmetic on every x86-64 machine, as far as TensorFlow allows.
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as worker,
    ):
        assert worker.stdin is not None and worker.stdout is not None
        try:
            worker.stdin.write(json.dumps(request))
            worker.stdin.close()
            measured: dict[str, Any] | None = None
            for line in worker.stdout:
                message = json.loads(line) if line.startswith("{") else {}
                if "epoch" in message and progress is not None:
                    progress(kind, message["epoch"], request["training"]["epochs"])
                if "measured" in message:
                    measured = message["measured"]
            worker.wait()
        except BaseException:
            worker.kill()
            raise
        if worker.returncode or measured is None:
            errors.seek(0)
            log = errors.read()
            last = next((line for line in reversed(log.splitlines()) if line.strip()), "no message")
            failure = InputError(f"{what} failed: {last.strip()} (in {request['model_file']})")
            failure.add_note(log)
            raise failure
    return measured


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes wait for; the system frees it when this process ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _versions() -> dict[str, str]:
    try:
        return {name: metadata.version(name) for name in _LIBRARIES}
    except metadata.PackageNotFoundError as error:
        raise InputError(
            f"training a model of the zoo needs {error.name}: pip install 'gatewright[zoo]'"
        ) from None


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
