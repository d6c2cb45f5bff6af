"""Data in files, read into typed values: what is of another type, or too large, is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from gatewright.errors import InputError
from gatewright.parsing.strict import first_problem
from gatewright.system.files import opened

T = TypeVar("T")

#: Bytes of a file that describes a project; the largest that are known have some 10 MB.
LARGEST = 256 << 20

#: A name in SystemVerilog and C++, which becomes part of paths, too.
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=250)]

#: Text of any kind, as names of layers and files are.
Text = Annotated[str, StringConstraints(max_length=10_000)]

#: A line of text that we wrote.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=2000)]

#: A SHA-256.
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

#: A number of things of which there may be none.
Count = Annotated[int, Field(ge=0, le=2**53)]

#: A number that has digits.
Finite = Annotated[float, Field(allow_inf_nan=False)]

#: They take a while to make.
_adapters: dict[Any, TypeAdapter[Any]] = {}


def decode(kind: type[T], data: bytes | str) -> T:
    """A value of a type (a dataclass, a typed dictionary, ...) of its JSON; nothing is converted.

    Raises:
        ValueError: in one line, if it is no such value.
    """
    try:
        if kind not in _adapters:
            _adapters[kind] = TypeAdapter(kind)
        found: T = _adapters[kind].validate_json(data, strict=True)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None
    return found


def read(path: Path, kind: type[T], what: str) -> T:
    """The value of a type that a JSON file holds.

    Args:
        path: the file.
        kind: the type.
        what: what the file should be, for messages.

    Raises:
        FileNotFoundError: if there is none.
        InputError: if it can't be read, or holds something else.
    """
    try:
        with opened(path, LARGEST) as file:
            return decode(kind, file.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise InputError(f"{path}: not {what}: {error}") from None


def written(path: Path | str) -> str:
    """A path as text that JSON can hold: bytes that are no UTF-8 are spelled out."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
