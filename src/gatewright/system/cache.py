"""Results cached between runs, by content, in the user's cache directory.

Each kind of result has a directory, and each entry is a file or directory in it. Data is stored
with its hash, which is checked when it is read; damaged entries are made again. The size of the
cache is limited: at most once an hour, a process that adds to it removes the least recently used
entries. Entries used within the last day stay, so that running commands keep theirs.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gatewright.errors import InputError
from gatewright.system.files import exclusive, make_way, opened, remove, replaced_file

#: Limit on the size of the cache, in bytes, if GATEWRIGHT_CACHE_SIZE is not set.
DEFAULT_BOUND = 20 * 10**9

#: Kinds that the limit does not apply to: results of trainings, which take hours to make again,
#: downloaded data, and installed environments.
LASTING = ("frontends", "openml", "store")

#: Subdirectories with the entries of a kind, if they are not in its own directory.
_WITHIN = {"store": ("entries", "projects")}

#: Least time that an entry stays after its last use, in s.
_GRACE = 24 * 3600

#: Time between two checks of the size, in s.
_INTERVAL = 3600

#: Largest size of an entry of data, in bytes.
_LARGEST = 1 << 30

_CHECKED = ".checked"
_DIGEST_BYTES = 32

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Kind:
    """The contents of one directory of the cache."""

    name: str
    entries: int
    size: int  # bytes
    oldest: float  # seconds since the last use of the least recently used entry


@dataclass(frozen=True)
class _Entry:
    path: Path
    size: int
    used: float  # time


def cache_dir() -> Path:
    """Directory of the cache: $GATEWRIGHT_CACHE, or in the platform's cache directory."""
    configured = os.environ.get("GATEWRIGHT_CACHE")
    return Path(configured) if configured else Path(platformdirs.user_cache_dir("gatewright"))


def key_of(*parts: str | bytes) -> str:
    """The key of an entry: a hash of everything that its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def kept(kind: str, key: str, make: Callable[[], bytes]) -> bytes:
    """The data of a key from the cache; made if it is missing or damaged.

    If the cache can't be written, it is made each time.

    Args:
        kind: the kind of result.
        key: see `key_of`.
        make: makes the data.
    """
    path = cache_dir() / kind / key
    found = _read(path)
    if found is not None:
        return found
    data = make()
    with suppress(InputError):
        make_way(path)
        with replaced_file(path) as file:
            file.write(hashlib.sha256(data).digest() + data)
        tidy()
    return data


def _read(path: Path) -> bytes | None:
    try:
        with opened(path, _LARGEST) as file:
            content = file.read()
        used(path)
    except (OSError, InputError):
        return None
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == digest else None


def used(path: Path) -> None:
    """Mark an entry as used now; the least recently used entries are removed first."""
    with suppress(OSError):
        os.utime(path)


def bound() -> int:
    """Limit on the size of the cache, in bytes: $GATEWRIGHT_CACHE_SIZE, or 20 GB.

    Raises:
        InputError: if the variable is not a size.
    """
    configured = os.environ.get("GATEWRIGHT_CACHE_SIZE")
    return parse_size(configured, "GATEWRIGHT_CACHE_SIZE") if configured else DEFAULT_BOUND


def parse_size(text: str, name: str) -> int:
    """Parse a size such as 500MB, 20GB or 1.5 TB to bytes; `name` is its name in messages.

    Raises:
        InputError: if it is not a size.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([KMGT]?)B?", text.strip().upper())
    if match is None:
        raise InputError(f"{name} {text:.40}: write a size, such as 500MB or 20GB")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_age(text: str, name: str) -> float:
    """Parse an age such as 12h, 30d or 4w to seconds; `name` is its name in messages.

    Raises:
        InputError: if it is not an age.
    """
    match = re.fullmatch(r"([0-9]{1,6})\s*([hdw])", text.strip().lower())
    if match is None:
        raise InputError(f"{name} {text:.40}: write an age, such as 12h, 30d or 4w")
    return int(match[1]) * {"h": 3600, "d": 86400, "w": 7 * 86400}[match[2]]


def kinds() -> list[Kind]:
    """The contents of the cache, by kind."""
    now = time.time()
    found = []
    for folder in _folders():
        entries = list(_entries(folder))
        oldest = max((now - entry.used for entry in entries), default=0.0)
        found.append(Kind(folder.name, len(entries), sum(e.size for e in entries), max(0, oldest)))
    return found


def clear(kind: str | None = None) -> int:
    """Empty the cache, or one kind of it.

    Returns:
        Number of bytes freed.

    Raises:
        InputError: if there is no such kind.
    """
    folders = _chosen(kind)
    freed = sum(entry.size for folder in folders for entry in _entries(folder))
    for folder in folders:
        remove(folder)
    return freed


def shrink(
    size: int | None = None,
    *,
    age: float | None = None,
    kind: str | None = None,
    grace: float = 0.0,
) -> int:
    """Remove the least recently used entries.

    Args:
        size: bytes that may remain; no limit if None.
        age: seconds since its last use after which an entry is removed, whatever the size.
        kind: the kind to look at; if None, all except `LASTING`.
        grace: seconds since its last use during which an entry is not removed.

    Returns:
        Number of bytes freed.

    Raises:
        InputError: if there is no such kind.
    """
    now = time.time()
    folders = [f for f in _chosen(kind) if kind is not None or f.name not in LASTING]
    entries = sorted(
        (entry for folder in folders for entry in _entries(folder)), key=lambda entry: entry.used
    )
    left = sum(entry.size for entry in entries)
    freed = 0
    for entry in entries:
        unused = now - entry.used
        too_much = size is not None and left - freed > size
        too_old = age is not None and unused >= age
        if unused >= grace and (too_much or too_old):
            remove(entry.path)
            freed += entry.size
    return freed


def _chosen(kind: str | None) -> list[Path]:
    folders = _folders()
    if kind is None:
        return folders
    names = [folder.name for folder in folders]
    if kind not in names:
        there = ", ".join(names) or "nothing"
        raise InputError(f"'{kind:.60}' is not a kind of cached data; choose from {there}")
    return [folder for folder in folders if folder.name == kind]


def tidy() -> None:
    """Limit the size of the cache, unless that was done within the last hour."""
    mark = cache_dir() / _CHECKED
    with suppress(OSError):
        if time.time() - mark.stat().st_mtime < _INTERVAL:
            return
    with suppress(OSError, InputError), exclusive(mark.with_suffix(".lock"), wait=False) as free:
        if free:
            mark.touch()
            shrink(bound(), grace=_GRACE)


def _folders() -> list[Path]:
    with suppress(OSError):
        found = sorted(path for path in cache_dir().iterdir() if not path.name.startswith("."))
        return [path for path in found if path.is_dir() and not path.is_symlink()]
    return []


def _entries(folder: Path) -> Iterator[_Entry]:
    for place in (folder / name for name in _WITHIN.get(folder.name, ("",))):
        with suppress(OSError), os.scandir(place) as found:
            for item in found:
                with suppress(OSError):
                    status = item.stat(follow_symlinks=False)
                    size = status.st_size
                    if item.is_dir(follow_symlinks=False):
                        size += _size_below(Path(item.path))
                    yield _Entry(Path(item.path), size, status.st_mtime)


def _size_below(folder: Path) -> int:
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += (Path(place) / name).lstat().st_size
    return size
