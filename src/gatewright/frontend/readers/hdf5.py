"""HDF5 files: attributes and arrays, read by a child process."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import processes
from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.frontend.readers.archive import MAX_BYTES

_WORKER = Path(__file__).with_name("hdf5_worker.py")
#: Time to start, and bytes that are read in a second on the slowest machine.
_SECONDS = 40.0
_BYTES_PER_SECOND = 10e6
#: Of the library, beside what it reads.
_OWN_BYTES = 2 << 30


@dataclass(frozen=True)
class Hdf5:
    """What a file holds.

    Attributes:
        attributes: Text by key: `model_config`, `keras_version`.
        arrays: By path, below `model_weights` where there is such a group.
    """

    attributes: dict[str, str]
    arrays: dict[str, NDArray[Any]]


def read_hdf5(path: Path, origin: str | None = None) -> Hdf5:
    """Read a file of weights, and of the architecture if it has that.

    Args:
        path: The file.
        origin: What the user calls it, if not by its path.

    Raises:
        InputError: if it is damaged, larger than what is read, or holds other things than arrays of
            numbers.
    """
    origin = origin or str(path)
    if importlib.util.find_spec("h5py") is None:
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
    with tempfile.TemporaryDirectory(prefix="gatewright-") as scratch:
        # Not by -m: it imports nothing of ours, and nothing of the directory that it runs in.
        command: list[str | Path] = [
            sys.executable,
            "-P",
            _WORKER,
            path.resolve(),
            scratch,
            str(MAX_BYTES),
        ]
        seconds = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
        limits = processes.Limits(
            what=f"{origin}: reading it", seconds=seconds, memory=MAX_BYTES + _OWN_BYTES
        )
        # Threads of NumPy's libraries would each reserve address space, which is limited.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = processes.run(command, cwd=scratch, env=environment, limits=limits)
        index = Path(scratch) / "index.json"
        if done.returncode or not index.is_file():
            raise InputError(
                f"{origin}: not a readable HDF5 model (the HDF5 library fails on it, with status "
                f"{done.returncode})"
            )
        found = json.loads(index.read_text(encoding="utf-8"))
        if "unfit" in found:
            raise InputError(f"{origin}: {shown(found['unfit'])}")
        if "error" in found:
            raise InputError(f"{origin}: not a readable HDF5 model ({shown(found['error'])})")
        arrays = {
            key: np.load(Path(scratch) / name, allow_pickle=False)
            for key, name in found["arrays"].items()
        }
    return Hdf5(found["attributes"], arrays)
