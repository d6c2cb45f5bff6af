"""Reads files of arrays, `.npy` and `.npz`, within a size limit and without unpickling."""

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

#: Longest header of an array, in bytes; NumPy writes about a hundred.
_LONGEST_HEADER = 10_000

#: Most axes of an array; the limit of NumPy 1.
_MOST_AXES = 32

#: Exceptions of NumPy for an invalid header.
_NO_HEADER = (
    *(ValueError, TypeError, AttributeError, LookupError, OverflowError),
    *(SyntaxError, tokenize.TokenError, RecursionError, MemoryError),
)

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # flag bit of a member

#: Exceptions of the libraries for an invalid file.
DAMAGED = (
    OSError,
    ValueError,  # includes UnicodeDecodeError
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,  # includes NotImplementedError, for an unknown compression
    LookupError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: Path, limit_bytes: int, *, alone: str = "x") -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` or `.npz` file by name; their elements are numbers or booleans.

    Sizes in headers and of the file are checked before memory is allocated.

    Args:
        path: the file.
        limit_bytes: limit on the size of all arrays together, and of the file.
        alone: name for the single array of a `.npy`.

    Raises:
        InputError: if it can't be read, contains anything but arrays of numbers, or exceeds the
            limit.
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
        file: open file at the beginning of the array, which extends to its end.
        size: size of the array in the file, in bytes, including the header.
        limit_bytes: limit on the size of its elements, in bytes.

    Raises:
        ValueError: if it is invalid or too large; the libraries used raise others of `DAMAGED`.
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
        warnings.simplefilter("ignore")  # on headers from Python 2
        try:
            shape, by_columns, dtype = read(io.BytesIO(header))
        except _NO_HEADER:
            raise ValueError("a header that is not NumPy's") from None
    if dtype.kind not in "fiub":
        raise ValueError(f"elements of type {dtype}, not numbers")
    if len(shape) > _MOST_AXES or any(extent < 0 for extent in shape):
        raise ValueError("an invalid shape")
    # The extents of an array without elements are limited as well.
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
        # Every binary file has readinto, but typing.IO doesn't.
        got = file.readinto(place[filled:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("it ends too early")
        filled += got
    if file.read(1):  # reading to the end checks the checksum of an archive's member
        raise ValueError("more data than its header says")
    return values.reshape(shape[::-1]).transpose() if by_columns else values.reshape(shape)


def _amount(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)
