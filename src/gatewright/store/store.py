"""A store of results: each is made once per content, and found from then on."""

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

#: Errors while an entry is made that the store's disk may have caused.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Check:
    """What `Store.check` found wrong, as keys."""

    lost: tuple[str, ...]  # in the index, but there is no folder: taken out of the index
    orphaned: tuple[str, ...]  # whole, but not in the index: put into it
    corrupt: tuple[str, ...]  # damaged: never used, made again when wanted


class Store:
    """A content-addressed store; see `gatewright.store` for what it looks like on disk.

    A store is its folder: an object of this class holds nothing open and can be passed to other
    processes. Nothing is written before the first result is.

    Args:
        root: the store's folder, made if need be.
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

        If another process is making it, this one waits and finds it. If `make` fails, or this
        process is killed, there is no entry, and the next who wants it makes it.

        Args:
            kind: what sort of result it is, for people and `entries`.
            content: all that the result depends on; JSON.
            make: fills the empty folder that it is given and returns what is worth knowing; JSON.

        Raises:
            InputError: if content or record have no place in JSON, or the disk is full or
                read-only; and whatever `make` raises.
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
        """Fill a temporary folder and give it its name. The entry's lock is held."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        start = time.monotonic()
        with _written(folder, only=_UNWRITABLE):
            record = make(folder)
        seconds = round(time.monotonic() - start, 3)
        directory = self._entries / key
        with _written(folder):
            seal(folder, kind, content, record, created, seconds)
            if directory.exists():  # damaged, or it would have been found
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
        """The whole and undamaged entry of a key, None if there is none.

        Its record is checked against its hash every time. Its files are checked against theirs
        once; then the index remembers their sizes and times of change, and as long as these stay,
        so does the verdict. `check` trusts no times.

        Raises:
            InputError: if it is there and can't be read.
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
        """All whole entries, or those of one kind, oldest first.

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
        """A directory for a kind and content, which nobody else uses meanwhile; they wait.

        It stays as it is left, so what is done in it must have stamps of its own that tell what is
        done from what is half-done. If it is left empty, it vanishes.

        Raises:
            InputError: if the content has no place in JSON, or the directory can't be made.
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
        """Remove the entry and the project directory of a key, as far as there are.

        Waits for processes that are making the one or using the other. An entry that is wanted
        again is made again.

        Raises:
            InputError: if they can't be removed, or the key is none.
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
        """Bytes of all files in the store."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                with suppress(FileNotFoundError):  # others are at work
                    total += (Path(folder) / name).lstat().st_size
        return total

    def check(self) -> Check:
        """Check every file of every entry, mend the index, remove what killed processes left.

        Safe while others work on the store.

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
                # Who makes or removes an entry holds its lock until folder and index agree.
                with exclusive(self._lock("entry", key), wait=False) as held:
                    if held and (verdict := self._verdict(key)) is not None:
                        found[verdict].append(key)
                        self._mend(key)
        return Check(**{name: tuple(keys) for name, keys in found.items()})

    def _verdict(self, key: str) -> str | None:
        """What is wrong with an entry, in the words of `Check`; None if nothing is."""
        indexed = self._index.state(key) is not None
        if not (self._entries / key).exists():
            return "lost" if indexed else None
        sealed = self._read(key)
        if sealed is None or sealed.state() is None or not sealed.whole():
            return "corrupt"
        return None if indexed else "orphaned"

    def _mend(self, key: str) -> None:
        """Make the index agree with an entry's folder."""
        self._index.drop(key)
        self.find(key)

    def _read(self, key: str) -> Sealed | None:
        return Sealed.read(self._entries / key) if _KEY.fullmatch(key) else None

    def _keys(self) -> list[str]:
        """Names of the folders that stand where entries do."""
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
        """Remove a directory at once, whatever happens: it is moved away, then emptied."""
        aside = temporary_directory(self._making, f"{directory.name}.")
        directory.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what killed processes left: temporary folders and locks that nobody holds."""
        left = [*self._making.iterdir(), *self._locks.iterdir()]
        for use in ("entry", "project"):
            for key in {path.name.partition(".")[0] for path in left}:
                with exclusive(self._lock(use, key), wait=False) as held:
                    if held and use == "entry":
                        self._clear(key)

    def _clear(self, key: str) -> None:
        """Remove the temporary folders of an entry whose lock is held: their makers are gone."""
        for folder in self._making.glob(f"{key}.*"):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _written(path: Path, only: tuple[int, ...] | None = None) -> Iterator[None]:
    """Say which place in the store it was that the system, or the disk, refused."""
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        where = place_of(error) or path
        raise InputError(f"{where}: cannot be written ({error.strerror or error})") from error
