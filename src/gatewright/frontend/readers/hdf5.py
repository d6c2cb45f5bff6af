"""Reads attributes and arrays of HDF5 files in a child process, which may hang or crash."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from gatewright.errors import InputError
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.frontend.readers.child import Contents, read_in_child
from gatewright.system.files import opened

_SCRIPT = str(Path(__file__).with_name("hdf5_worker.py"))
#: Seconds to start on a slow machine.
_SECONDS = 40.0
#: Address space in bytes for the library itself.
_OWN_BYTES = 2 << 30


def read_hdf5(path: Path) -> Contents:
    """Read a file of weights, with the architecture if it has one.

    Raises:
        InputError: if it is damaged, too large, or holds other things than arrays of numbers.
    """
    try:
        with opened(path, MAX_BYTES) as file:
            return _read(file, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_content(content: bytes, origin: str) -> Contents:
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


def _read(file: IO[bytes], origin: str) -> Contents:
    if find_spec("h5py") is None:
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
    size = os.fstat(file.fileno()).st_size
    memory = MAX_BYTES + _OWN_BYTES
    return read_in_child(
        _SCRIPT, [file.fileno()], origin, "HDF5 model", size, _SECONDS, memory=memory
    )
