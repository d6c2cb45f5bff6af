"""HDF5 files: attributes and arrays, read by a child process that may hang or crash on them."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.parsing.arrays import read_array
from gatewright.system import processes
from gatewright.system.files import opened

_WORKER = Path(__file__).with_name("hdf5_worker.py")
#: Time to start, and bytes that are read in a second on the slowest machine.
_SECONDS = 40.0
_BYTES_PER_SECOND = 10e6
#: What a file may unpack to: so much, and so many times its size; weights are hardly compressed.
_LITTLE = 64 << 20
_RATIO = 200
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


def read_hdf5(path: Path) -> Hdf5:
    """Read a file of weights, and of the architecture if it has that.

    Raises:
        InputError: if it is damaged, larger than what is read, or holds other things than arrays of
            numbers.
    """
    try:
        with opened(path, MAX_BYTES) as file:
            return _read(file, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_content(content: bytes, origin: str) -> Hdf5:
    """Read what a member of an archive holds.

    Args:
        content: The member.
        origin: What the user calls it.

    Raises:
        InputError: as `read_hdf5`.
    """
    with tempfile.TemporaryFile() as unpacked:
        unpacked.write(content)
        unpacked.flush()
        return _read(unpacked, origin)


def _read(file: IO[bytes], origin: str) -> Hdf5:
    if importlib.util.find_spec("h5py") is None:
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
    size = os.fstat(file.fileno()).st_size
    memory = MAX_BYTES + _OWN_BYTES
    return read_in_child(
        _WORKER, [file.fileno()], origin, "HDF5 model", size, _SECONDS, memory=memory
    )


def read_in_child(
    worker: Path,
    arguments: list[int | str],
    origin: str,
    kind: str,
    size: int,
    seconds: float,
    *,
    memory: int | None = None,
) -> Hdf5:
    """What a worker makes of a model that may hang or crash its library.

    Args:
        worker: The script. It is given the arguments, a descriptor to write arrays to, and the
            most bytes that these may have.
        arguments: Numbers among them are descriptors that it shares.
        origin: What the user calls the model.
        kind: What it should be.
        size: Bytes of its files.
        seconds: For the worker to start.
        memory: Bytes of address space, None for the most that any process gets.

    Raises:
        InputError: if the worker refuses it, or fails.
    """
    most = min(MAX_BYTES, _LITTLE + _RATIO * size)
    limits = processes.Limits(
        what=f"{origin}: reading it", seconds=seconds + size / _BYTES_PER_SECOND, memory=memory
    )
    # Threads of NumPy's libraries would each reserve address space, which is limited.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    # A file without a name: a killed process leaves none.
    with tempfile.TemporaryFile() as scratch:
        given = [*arguments, scratch.fileno()]
        # Not by -m: it imports nothing of ours, and nothing of the directory that it runs in.
        command: list[str | Path] = [sys.executable, "-P", worker]
        done = processes.run(
            [*command, *map(str, (*given, most))],
            env=environment,
            limits=limits,
            pass_fds=[each for each in given if isinstance(each, int)],
            encoding="utf-8",
        )
        try:
            found = json.loads(done.stdout)
        except ValueError:
            library = kind.partition(" ")[0]
            raise InputError(
                f"{origin}: not a readable {kind} (the {library} library fails on it, with status "
                f"{done.returncode})"
            ) from None
        if "unfit" in found:
            raise InputError(f"{origin}: {shown(found['unfit'], 200)}")
        if "error" in found:
            raise InputError(f"{origin}: not a readable {kind} ({shown(found['error'])})")
        arrays = {}
        for key, (begin, length) in found["arrays"].items():
            scratch.seek(begin)
            arrays[key] = read_array(io.BytesIO(scratch.read(length)), length, MAX_BYTES)
    return Hdf5(found["attributes"], arrays)
