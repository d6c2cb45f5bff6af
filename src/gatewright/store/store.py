"""A store of results: each is made once per content, and found afterwards."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewright.errors import InputError, place_of
from gatewright.store.entry import Entry, Sealed, key_of, seal
from gatewright.store.index import Index
from gatewright.system.files import exclusive, flush, temporary_directory

_KEY = re.compile(r"[0-9a-f]{64}")

#: Errors while an entry is made that the store's disk can cause.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Check:
    """The problems that `Store.check` found, as keys."""

    lost: tuple[str, ...]  # in the index without a directory; removed from the index
    orphaned: tuple[str, ...]  # intact but not in the index; added to it
    corrupt: tuple[str, ...]  # damaged; never used, made again when needed


class Store:
    """A content-addressed store; `gatewright.store` describes its files.

    An object of this class keeps nothing open and can be passed to other processes. Nothing is
    written before the first result.

    Args:
        root: directory of the store, created if necessary.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._entries = self.root / "entries"
        self._projects = self.root / "projects"
        self._making = self.root / "making"
        self._locks = self.root / "locks"
        self._index = Index(self.root / "index.sqlite")

    def obtain(
        self,
        kind: str,
        content: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
    ) -> Entry:
        """Find the entry of a kind and content, or make it.

        If another process is making it, this one waits for it. If `make` fails, or this process is
        killed, there is no entry, and the next call makes it.

        Args:
            kind: kind of result, for people and for `entries`.
            content: everything that the result depends on, as JSON values.
            make: fills the empty directory that it is given, and returns a record as JSON values.

        Raises:
            InputError: if content or record can't be written as JSON, or the disk is full or
                read-only; and any error of `make`.
        """
        key = key_of(kind, content)
        if (found := self.find(key)) is not None:
            return found
        self._set_up()
        self._sweep()
        with exclusive(self._lock("entry", key)):
            if (found := self.find(key)) is not None:
                return found
            self._clear(key)
            with _written(self._making):
                folder = temporary_directory(self._making, f"{key}.")
            try:
                return self._make(key, folder, kind, content, make)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _make(
        self,
        key: str,
        folder: Path,
        kind: str,
        content: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
    ) -> Entry:
        """Fill a temporary directory and rename it. The caller holds the entry's lock."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        start = time.monotonic()
        with _written(folder, only=_UNWRITABLE):
            record = make(folder)
        seconds = round(time.monotonic() - start, 3)
        directory = self._entries / key
        with _written(folder):
            seal(folder, kind, content, record, created, seconds)
            if directory.exists():  # it is damaged, or `find` would have found it
                self._index.drop(key)
                self._discard(directory)
            folder.rename(directory)
            flush(self._entries)
        sealed = Sealed.read(directory)
        if sealed is None or (state := sealed.state()) is None:
            raise InputError(f"{directory}: an entry that was just written can't be read back")
        self._index.put(sealed.entry, state)
        return replace(sealed.entry, cached=False)

    def find(self, key: str) -> Entry | None:
        """The entry of a key; None if there is none, or it is damaged.

        The hash of the record is checked every time. The hashes of the files are checked once; then
        the index has their sizes and times, and they are not checked again until these change.
        `check` always checks the hashes.

        Raises:
            InputError: if it exists but can't be read.
        """
        sealed = self._read(key)
        if sealed is None or (state := sealed.state()) is None:
            return None
        if state != self._index.state(key):
            if not sealed.whole():
                return None
            self._index.put(sealed.entry, state)
        return sealed.entry

    def entries(self, kind: str | None = None) -> list[Entry]:
        """All intact entries, or those of one kind, oldest first.

        Raises:
            InputError: if one can't be read.
        """
        kinds = self._index.kinds() if kind is not None and self.root.is_dir() else {}
        found = [self.find(key) for key in self._keys() if kinds.get(key, kind) == kind]
        return sorted(
            (entry for entry in found if entry is not None and kind in (None, entry.kind)),
            key=lambda entry: (entry.created, entry.key),
        )

    @contextmanager
    def project(self, kind: str, content: Mapping[str, Any]) -> Iterator[Path]:
        """A directory for a kind and content, locked while in use; other processes wait.

        It keeps its files afterwards, so steps in it need stamps of their own, which distinguish
        finished from unfinished work. If it is left empty, it is removed.

        Raises:
            InputError: if the content can't be written as JSON, or the directory can't be made.
        """
        key = key_of(kind, content)
        directory = self._projects / key
        self._set_up()
        with exclusive(self._lock("project", key)):
            with _written(directory):
                directory.mkdir(exist_ok=True)
            try:
                yield directory
            finally:
                with suppress(OSError):
                    directory.rmdir()

    def remove(self, key: str) -> None:
        """Remove the entry and the project directory of a key, if they exist.

        Waits for processes that make or use them. The entry is made again when it is needed again.

        Raises:
            InputError: if they can't be removed, or the key is not valid.
        """
        if not _KEY.fullmatch(key):
            raise InputError(f"'{key}' is not a key of the store; a key has 64 hexadecimal digits")
        if not self.root.is_dir():
            return
        self._set_up()
        for use, directory in (("entry", self._entries / key), ("project", self._projects / key)):
            with exclusive(self._lock(use, key)), _written(directory):
                if use == "entry":
                    self._index.drop(key)
                if directory.exists():
                    self._discard(directory)

    def size(self) -> int:
        """Size of all files in the store, in bytes."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                with suppress(FileNotFoundError):  # another process removed it
                    total += (Path(folder) / name).lstat().st_size
        return total

    def check(self) -> Check:
        """Check every file of every entry, repair the index, remove leftovers of killed processes.

        Safe while other processes use the store.

        Raises:
            InputError: if something can't be read, or the disk is full or read-only.
        """
        found: dict[str, list[str]] = {"lost": [], "orphaned": [], "corrupt": []}
        if self.root.is_dir():
            self._set_up()
            self._sweep()
            known = self._index.kinds()
            for key in sorted({*self._keys(), *known}):
                if self._verdict(key) is None:
                    continue
                # A process that makes or removes an entry holds the lock until both agree.
                with exclusive(self._lock("entry", key), wait=False) as held:
                    if held and (verdict := self._verdict(key)) is not None:
                        found[verdict].append(key)
                        self._mend(key)
        return Check(**{name: tuple(keys) for name, keys in found.items()})

    def _verdict(self, key: str) -> str | None:
        """The problem of an entry, as a field of `Check`; None if there is none."""
        indexed = self._index.state(key) is not None
        if not (self._entries / key).exists():
            return "lost" if indexed else None
        sealed = self._read(key)
        if sealed is None or sealed.state() is None or not sealed.whole():
            return "corrupt"
        return None if indexed else "orphaned"

    def _mend(self, key: str) -> None:
        """Make the index agree with an entry's directory."""
        self._index.drop(key)
        self.find(key)

    def _read(self, key: str) -> Sealed | None:
        return Sealed.read(self._entries / key) if _KEY.fullmatch(key) else None

    def _keys(self) -> list[str]:
        """Keys of all directories of entries, sorted."""
        try:
            names = [path.name for path in self._entries.iterdir()]
            return sorted(name for name in names if _KEY.fullmatch(name))
        except FileNotFoundError:
            return []

    def _lock(self, use: str, key: str) -> Path:
        return self._locks / f"{key}.{use}"

    def _set_up(self) -> None:
        for folder in (self._entries, self._projects, self._making, self._locks):
            with _written(folder):
                folder.mkdir(parents=True, exist_ok=True)

    def _discard(self, directory: Path) -> None:
        """Remove a directory: move it away in one step, then delete it."""
        aside = temporary_directory(self._making, f"{directory.name}.")
        directory.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove temporary directories and locks that killed processes left."""
        left = [*self._making.iterdir(), *self._locks.iterdir()]
        for use in ("entry", "project"):
            for key in {path.name.partition(".")[0] for path in left}:
                with exclusive(self._lock(use, key), wait=False) as held:
                    if held and use == "entry":
                        self._clear(key)

    def _clear(self, key: str) -> None:
        """Remove the temporary directories of an entry. The caller holds the entry's lock."""
        for folder in self._making.glob(f"{key}.*"):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _written(path: Path, only: tuple[int, ...] | None = None) -> Iterator[None]:
    """Context that turns OSError into InputError with the path; `only` limits it to some errno."""
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        where = place_of(error) or path
        raise InputError(f"{where}: cannot be written ({error.strerror or error})") from error
