"""Results that are worth keeping between runs, by content, in the user's cache directory.

Each kind has a folder, each entry of it a file or a folder of its own. What is kept as data carries
its hash and is checked against it when it is read; damaged entries are made again. The cache has a
bound: once an hour, a process that adds to it removes the least recently used entries. Nothing that
was used within the last day goes, so nothing that a running command uses does.
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

#: Bytes that the cache may have, where GATEWRIGHT_CACHE_SIZE says nothing.
DEFAULT_BOUND = 20 * 10**9

#: Kinds that the bound leaves alone: results of trainings, which take hours to make again, data
#: that must be fetched.
LASTING = ("openml", "store")

#: Where the entries of a kind stand, if not in its own folder.
_WITHIN = {"store": ("entries", "projects")}

#: Seconds that an entry stays, at least, after it was used.
_GRACE = 24 * 3600

#: Seconds between two looks at the whole.
_INTERVAL = 3600

#: Bytes of an entry that is kept as data.
_LARGEST = 1 << 30

_CHECKED = ".checked"
_DIGEST_BYTES = 32

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Kind:
    """What a folder of the cache holds."""

    name: str
    entries: int
    size: int  # bytes
    oldest: float  # seconds since an entry was last used, of the one that it is longest of


@dataclass(frozen=True)
class _Entry:
    path: Path
    size: int
    used: float  # time


def cache_dir() -> Path:
    """Where cached results live: $GATEWRIGHT_CACHE, or the platform's cache directory."""
    configured = os.environ.get("GATEWRIGHT_CACHE")
    return Path(configured) if configured else Path(platformdirs.user_cache_dir("gatewright"))


def key_of(*parts: str | bytes) -> str:
    """The key of an entry: a hash of all that its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def kept(kind: str, key: str, make: Callable[[], bytes]) -> bytes:
    """The data of a key, made where it is not in the cache, or damaged there.

    Where the cache can't be written, it is made each time.

    Args:
        kind: the sort of result.
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
    """Note that an entry is in use: what was longest out of use goes first."""
    with suppress(OSError):
        os.utime(path)


def bound() -> int:
    """Bytes that the cache may have: $GATEWRIGHT_CACHE_SIZE, or 20 GB.

    Raises:
        InputError: if the variable holds no size.
    """
    configured = os.environ.get("GATEWRIGHT_CACHE_SIZE")
    return parse_size(configured, "GATEWRIGHT_CACHE_SIZE") if configured else DEFAULT_BOUND


def parse_size(text: str, name: str) -> int:
    """Bytes of a size as people write it: 500MB, 20GB, 1.5 TB.

    Raises:
        InputError: if it is none; names what was to hold it.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([KMGT]?)B?", text.strip().upper())
    if match is None:
        raise InputError(f"{name} {text:.40}: write a size, such as 500MB or 20GB")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_age(text: str, name: str) -> float:
    """Seconds of an age as people write it: 12h, 30d, 4w.

    Raises:
        InputError: if it is none; names what was to hold it.
    """
    match = re.fullmatch(r"([0-9]{1,6})\s*([hdw])", text.strip().lower())
    if match is None:
        raise InputError(f"{name} {text:.40}: write an age, such as 12h, 30d or 4w")
    return int(match[1]) * {"h": 3600, "d": 86400, "w": 7 * 86400}[match[2]]


def kinds() -> list[Kind]:
    """What the cache holds."""
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
        Bytes that were freed.

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
    """Remove what is longest out of use.

    Args:
        size: bytes that may be left; any if None.
        age: seconds out of use from which on an entry goes, whatever the size.
        kind: the kind to look at; if None all but those of `LASTING`.
        grace: seconds after its last use before which none goes.

    Returns:
        Bytes that were freed.

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
    """Hold the cache within its bound, unless that was done within the last hour."""
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
