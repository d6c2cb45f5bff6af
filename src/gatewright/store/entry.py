"""One entry of a store: a directory of files with a record of their hashes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.errors import InputError, system_message
from gatewright.system.files import flush, hash_file

#: The record of an entry; written last.
_RECORD = "entry.json"


@dataclass(frozen=True)
class Entry:
    """A result in a store.

    `directory` contains the files of the result and must not be written to.
    """

    key: str  # hash of kind and content
    kind: str
    directory: Path
    content: dict[str, Any]  # everything that the result depends on
    record: dict[str, Any]  # the return value of the function that made it
    created: str  # UTC, ISO 8601
    seconds: float  # wall time of making it, in s
    size: int  # bytes of its files
    cached: bool  # whether it was found, not made in this call


def key_of(kind: str, content: Mapping[str, Any]) -> str:
    """The key of an entry: SHA-256 of kind and content as canonical JSON, 64 hexadecimal digits.

    The order of a mapping's keys does not matter, and lists equal tuples. 1, 1.0 and true are three
    different values.

    Raises:
        InputError: if a value can't be written as JSON.
    """
    return _hash({"kind": kind, "content": plain(content, "content")})


def plain(value: Any, where: str) -> Any:
    """Convert a value to JSON types: dictionaries with string keys, lists, and built-in scalars.

    Args:
        value: the value.
        where: its name, for error messages.

    Raises:
        InputError: if it, or a value in it, can't be written as JSON.
    """
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case Mapping() if all(isinstance(name, str) for name in value):
            return {
                str.__str__(name): plain(item, f"{where}.{name}") for name, item in value.items()
            }
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    what = "a mapping with keys that are not strings" if isinstance(value, Mapping) else repr(value)
    can_be = "strings, finite numbers, true, false, null, lists and mappings"
    raise InputError(f"{where} is {what}; a store can tell apart {can_be}")


def seal(
    directory: Path,
    kind: str,
    content: Mapping[str, Any],
    record: Mapping[str, Any],
    created: str,
    seconds: float,
) -> None:
    """Make a directory an entry: hash its files, write the record, and flush all of it to disk.

    Raises:
        OSError: if it can't be written.
        InputError: if the record can't be written as JSON.
        ValueError: if it contains anything but files and directories, or a file `entry.json`.
    """
    folders = [directory]
    files: list[Path] = []
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()) or path == _at(directory):
            raise ValueError(f"{path.relative_to(directory)}: an entry can't hold this")
        (folders if path.is_dir() else files).append(path)
    body = {
        "kind": kind,
        "content": plain(content, "content"),
        "record": plain(record, "record"),
        "created": created,
        "seconds": seconds,
        "files": {
            path.relative_to(directory).as_posix(): {
                "size": path.stat().st_size,
                "sha256": hash_file(path),
            }
            for path in files
        },
    }
    _at(directory).write_text(
        json.dumps({"sha256": _hash(body), "entry": body}, indent=1) + "\n", encoding="utf-8"
    )
    flush(*files, _at(directory), *reversed(folders))


@dataclass(frozen=True)
class Sealed:
    """The record of a directory, with methods that compare the files with it."""

    entry: Entry
    _files: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, directory: Path, *, cached: bool = True) -> Sealed | None:
        """Read the record of a directory; None if it does not exist or is damaged.

        Raises:
            InputError: if it exists but can't be read.
        """
        try:
            record = json.loads(_at(directory).read_bytes())
            body = record["entry"]
            if record["sha256"] != _hash(body):
                return None
            files = body["files"]
            entry = Entry(
                key=_hash({"kind": body["kind"], "content": body["content"]}),
                kind=body["kind"],
                directory=directory,
                content=body["content"],
                record=body["record"],
                created=body["created"],
                seconds=body["seconds"],
                size=sum(file["size"] for file in files.values()),
                cached=cached,
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot be read: {system_message(error)}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(entry, files) if entry.key == directory.name else None

    def state(self) -> str | None:
        """Sizes and times of the files, which change when a file is written to.

        None if a file is missing or its size changed.
        """
        states = []
        try:
            for name, known in self._files.items():
                status = (self.entry.directory / name).stat()
                if status.st_size != known["size"]:
                    return None
                states.append([name, status.st_size, status.st_mtime_ns, status.st_ctime_ns])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot be read: {system_message(error)}") from None
        return json.dumps(states)

    def whole(self) -> bool:
        """Whether every file has its original content; reads all files."""
        try:
            return all(
                hash_file(self.entry.directory / name) == known["sha256"]
                for name, known in self._files.items()
            )
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise InputError(f"cannot be read: {system_message(error)}") from None


def _at(directory: Path) -> Path:
    return directory / _RECORD


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
