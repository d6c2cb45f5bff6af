"""Reads attributes and arrays of HDF5 files in a child process, which may hang or crash."""

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
#: Seconds to start, and bytes read per second, on a slow machine.
_SECONDS = 40.0
_BYTES_PER_SECOND = 10e6
#: A file may unpack to this many bytes, plus this many times its size: weights hardly compress.
_LITTLE = 64 << 20
_RATIO = 200
#: Address space in bytes for the library itself.
_OWN_BYTES = 2 << 30


@dataclass(frozen=True)
class Hdf5:
    """The contents of a file.

    Attributes:
        attributes: Text by key, such as `model_config` and `keras_version`.
        arrays: Arrays by path, relative to the group `model_weights` if there is one.
    """

    attributes: dict[str, str]
    arrays: dict[str, NDArray[Any]]


def read_hdf5(path: Path) -> Hdf5:
    """Read a file of weights, with the architecture if it has one.

    Raises:
        InputError: if it is damaged, too large, or holds other things than arrays of numbers.
    """
    try:
        with opened(path, MAX_BYTES) as file:
            return _read(file, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_content(content: bytes, origin: str) -> Hdf5:
    """Read an HDF5 file that is a member of an archive.

    Args:
        content: The bytes of the member.
        origin: Its name in messages.

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
    home: str | None = None,
    python: Path | None = None,
) -> Hdf5:
    """Read a model in a child process, because its library may hang or crash on it.

    Args:
        worker: The script to run. It gets the arguments, a file descriptor to write arrays to, and
            the most bytes that these may have.
        arguments: Its first arguments. Integers are file descriptors, which it inherits.
        origin: The model's name in messages.
        kind: The kind of file, for messages; its first word is the library.
        size: The size of the model's files in bytes.
        seconds: Time for the worker to start.
        memory: Limit of address space in bytes; None for the limit of all child processes.
        home: A directory for the files that the library leaves behind; None for the user's own.
        python: The interpreter of another environment; None for this one.

    Raises:
        InputError: if the worker refuses the model, or fails.
    """
    most = min(MAX_BYTES, _LITTLE + _RATIO * size)
    limits = processes.Limits(
        what=f"{origin}: reading it", seconds=seconds + size / _BYTES_PER_SECOND, memory=memory
    )
    # Each thread of NumPy's libraries would reserve address space, which is limited.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    if home is not None:
        environment |= dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), home)
    # A file without a name: nothing stays if the process is killed.
    with tempfile.TemporaryFile() as scratch:
        given = [*arguments, scratch.fileno()]
        # Without -m, and with -P: it imports neither this package nor the current directory.
        command: list[str | Path] = [python or sys.executable, "-P", worker]
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
