"""Files of arrays, `.npy` and `.npz`, read within a bound; nothing in them is unpickled."""

from __future__ import annotations

import io
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import InputError
from gatewright.system.files import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bytes of the header of an array; NumPy writes some hundred.
_LONGEST_HEADER = 10_000

#: Axes of an array; NumPy 1 knows no more.
_MOST_AXES = 32

#: What NumPy raises at a header that is none.
_NO_HEADER = (
    *(ValueError, TypeError, AttributeError, LookupError, OverflowError),
    *(SyntaxError, tokenize.TokenError, RecursionError, MemoryError),
)

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # of a member's flag bits

#: What the libraries raise at a file that is not as it should be.
DAMAGED = (
    OSError,
    ValueError,  # UnicodeDecodeError, too
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,  # NotImplementedError, too: a compression that is not known
    LookupError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: Path, limit_bytes: int, *, alone: str = "x") -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` or `.npz` file by name, of numbers or truth values.

    Sizes are checked before memory is taken for them: what headers say, what the file holds.

    Args:
        path: the file.
        limit_bytes: of all arrays together, and of the file.
        alone: what the only array of a `.npy` is called.

    Raises:
        InputError: if it can't be read, holds what is no array of numbers, or more than the limit.
    """
    try:
        with opened(path, limit_bytes) as file:
            if file.read(2) == b"PK":
                return _members(file, limit_bytes)
            size = os.fstat(file.fileno()).st_size
            file.seek(0)
            return {alone: read_array(file, size, limit_bytes)}
    except InputError:
        raise
    except DAMAGED as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        reason = said or type(error).__name__
        raise InputError(f"{path}: can't be read as .npy or .npz ({reason})") from None


def _members(file: IO[bytes], limit_bytes: int) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    room = limit_bytes
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                raise ValueError(f"{name!r} in it is not an array")
            if name in arrays:
                raise ValueError(f"two arrays in it are called {name!r}")
            if info.flag_bits & _ENCRYPTED:
                raise ValueError(f"{name!r} in it is encrypted")
            if info.compress_type not in _COMPRESSIONS:
                raise ValueError(f"{name!r} in it is compressed in another way than by deflation")
            with archive.open(info) as member:
                try:
                    arrays[name] = read_array(member, info.file_size, room)
                except ValueError as error:
                    raise ValueError(f"{name!r} in it: {error}") from None
            room -= arrays[name].nbytes
    return arrays


def read_array(file: IO[bytes], size: int, limit_bytes: int) -> NDArray[Any]:
    """Read an array of numbers in NumPy's format.

    Args:
        file: where it stands, up to the end.
        size: bytes that it takes up there, header included.
        limit_bytes: of its elements.

    Raises:
        ValueError: saying what is wrong with it, as the libraries underneath do (`DAMAGED`).
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version[0]}.{version[1]} of NumPy's format")
    prefix = file.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(prefix, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = prefix + file.read(length)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers that Python 2 wrote
        try:
            shape, by_columns, dtype = read(io.BytesIO(header))
        except _NO_HEADER:
            raise ValueError("a header that is not NumPy's") from None
    if dtype.kind not in "fiub":
        raise ValueError(f"elements of type {dtype}, not numbers")
    if len(shape) > _MOST_AXES or any(extent < 0 for extent in shape):
        raise ValueError("an invalid shape")
    # An array without elements must not have absurd extents, either.
    if math.prod(max(1, extent) for extent in shape) * dtype.itemsize > limit_bytes:
        raise ValueError(f"more than the limit of {_amount(limit_bytes)}")
    wanted = math.prod(shape) * dtype.itemsize
    held = size - np.lib.format.MAGIC_LEN - len(header)
    if held != wanted:
        raise ValueError(f"{held} bytes of data where its header says {wanted}")
    values = np.empty(wanted // dtype.itemsize, dtype)
    place = values.view(np.uint8).data
    filled = 0
    while filled < wanted:
        # Every binary file has it; the type of files in general doesn't say so.
        got = file.readinto(place[filled:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("it ends too early")
        filled += got
    if file.read(1):  # at its end a member of an archive is checked against its checksum
        raise ValueError("more data than its header says")
    return values.reshape(shape[::-1]).transpose() if by_columns else values.reshape(shape)


def _amount(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)
