"""Has a child process read or run a stranger's file, whose library may hang or crash on it."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.frontend.readers import worker
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.parsing.arrays import read_array
from gatewright.system import processes
from gatewright.system.files import opened

#: Bytes read per second on a slow machine.
_BYTES_PER_SECOND = 10e6
#: A file may unpack to this many bytes, plus this many times its size: weights hardly compress.
_LITTLE = 64 << 20
_RATIO = 200


@dataclass(frozen=True)
class Contents:
    """What a script found in a file.

    Attributes:
        attributes: Text by key, such as `model_config` and `keras_version`.
        arrays: Arrays by name.
    """

    attributes: dict[str, str]
    arrays: dict[str, NDArray[Any]]


def read_file_in_child(
    script: str,
    path: Path,
    origin: str,
    kind: str,
    seconds: float,
    *,
    descriptors: Sequence[int] = (),
    python: Path | None = None,
) -> Contents:
    """Run a script on a file, with a home of its own for what its libraries leave behind.

    Args:
        script: The script; its first argument is the file's descriptor.
        path: The file.
        origin: The model's name in messages.
        kind: As for `read_in_child`.
        seconds: Time for the script to start.
        descriptors: Descriptors of further files for the script.
        python: The interpreter of another environment; None for this one.

    Raises:
        InputError: if the file can't be read, or as `read_in_child`.
    """
    try:
        with opened(path, MAX_BYTES) as file, tempfile.TemporaryDirectory() as home:
            given = [file.fileno(), *descriptors]
            size = path.stat().st_size
            return read_in_child(
                script, given, origin, kind, size, seconds, home=home, python=python
            )
    except OSError as error:
        raise InputError(f"{origin}: cannot be read ({error.strerror})") from None


def read_in_child(
    script: str,
    arguments: Sequence[int | str],
    origin: str,
    kind: str,
    size: int,
    seconds: float,
    *,
    memory: int | None = None,
    home: str | None = None,
    python: Path | None = None,
) -> Contents:
    """Run a script on a model; see `worker`.

    Args:
        script: The script.
        arguments: Its arguments. Integers are file descriptors, which it inherits.
        origin: The model's name in messages.
        kind: The kind of file, for messages; its first word is the library.
        size: The size of the model's files in bytes.
        seconds: Time for the script to start.
        memory: Limit of address space in bytes; None for the limit of all child processes.
        home: A directory for the files that the library leaves behind; None for the user's own.
        python: The interpreter of another environment; None for this one.

    Raises:
        InputError: if the script refuses the model, or fails.
    """
    most = min(MAX_BYTES, _LITTLE + _RATIO * size)
    limits = processes.Limits(
        what=f"{origin}: reading it", seconds=seconds + size / _BYTES_PER_SECOND, memory=memory
    )
    try:
        return run_script(script, arguments, limits, most, home=home, python=python)
    except ScriptFailure as failure:
        if failure.unfit:
            raise InputError(f"{origin}: {failure.reason}") from None
        library = kind.partition(" ")[0]
        crash = f"the {library} library fails on it, with status {failure.status}"
        raise InputError(f"{origin}: not a readable {kind} ({failure.reason or crash})") from None


class ScriptFailure(Exception):
    """A script gave no result.

    Attributes:
        reason: What it said, one line; "" if its process ended without a word.
        status: The process' exit status.
        unfit: Whether it refused what it was given, and didn't fail on it.
    """

    def __init__(self, reason: str, status: int, *, unfit: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.status, self.unfit = reason, status, unfit


def run_script(
    script: str,
    arguments: Sequence[int | str],
    limits: processes.Limits,
    most: int,
    *,
    home: str | None = None,
    python: Path | None = None,
) -> Contents:
    """Run a script; see `worker`.

    Args:
        script: The script.
        arguments: Its arguments. Integers are file descriptors, which it inherits.
        limits: The limits of its process.
        most: The most bytes that it may read out of a file.
        home: A directory for the files that libraries leave behind; None for the user's own.
        python: The interpreter of another environment; None for this one.

    Raises:
        ScriptFailure: if it refuses, or fails.
        LimitError: if it exceeds its limits.
    """
    # Each thread of NumPy's libraries would reserve address space, which is limited.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    if home is not None:
        environment |= dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), home)
    # A file without a name: nothing stays if the process is killed.
    with tempfile.TemporaryFile() as scratch:
        given = [*arguments, scratch.fileno()]
        # Without -m, and with -P: it imports neither this package nor the current directory.
        command: list[str | Path] = [python or sys.executable, "-P", worker.__file__, script]
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
            raise ScriptFailure("", done.returncode) from None
        if "unfit" in found:
            raise ScriptFailure(shown(found["unfit"], 200), done.returncode, unfit=True)
        if "error" in found:
            raise ScriptFailure(shown(found["error"]), done.returncode)
        arrays = {}
        for key, (begin, length) in found["arrays"].items():
            scratch.seek(begin)
            arrays[key] = read_array(io.BytesIO(scratch.read(length)), length, MAX_BYTES)
    return Contents(found["attributes"], arrays)
