"""Reads JSON files into typed values; other types and too large values are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from gatewright.errors import InputError
from gatewright.parsing.strict import first_problem
from gatewright.system.files import opened

T = TypeVar("T")

#: Largest file that describes a project, in bytes; known ones have up to about 10 MB.
LARGEST = 256 << 20

#: A name in SystemVerilog and C++, also used in paths.
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=250)]

#: Any text, such as names of layers and files.
Text = Annotated[str, StringConstraints(max_length=10_000)]

#: One line of text without control characters.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=2000)]

#: A SHA-256.
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

#: A number of things, 0 or more.
Count = Annotated[int, Field(ge=0, le=2**53)]

#: A finite number.
Finite = Annotated[float, Field(allow_inf_nan=False)]

#: Adapters by type, since creating them is slow.
_adapters: dict[Any, TypeAdapter[Any]] = {}


def decode(kind: type[T], data: bytes | str) -> T:
    """Decode JSON to a value of a type (a dataclass, a typed dictionary, ...), without conversions.

    Raises:
        ValueError: if it is not such a value; in one line.
    """
    try:
        if kind not in _adapters:
            _adapters[kind] = TypeAdapter(kind)
        found: T = _adapters[kind].validate_json(data, strict=True)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None
    return found


def read(path: Path, kind: type[T], what: str) -> T:
    """Read a value of a type from a JSON file.

    Args:
        path: the file.
        kind: the type.
        what: what the file should be, with its article, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        InputError: if it can't be read, or its content has another type.
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
    """A path as text for JSON; bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
