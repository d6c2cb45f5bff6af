"""What this user's own builds made: the only files that are ever run as code.

A project's folder may come from anybody. What stands in it as code (the compiled emulation,
simulation executables) is run only where its hash is one that was recorded here when it was built;
else it is built anew from sources. The records are empty files, named by hash, in the cache
directory. None is lost for good: without it something is built once more.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from gatewright.errors import InputError
from gatewright.system.cache import cache_dir
from gatewright.system.files import hash_file

_MOST = 10_000
"""Records; beyond, the half that was longest out of use goes."""


def record(path: Path) -> None:
    """Remember a file by its content as built here, by us.

    Raises:
        InputError: if the file can't be read, or the record not be kept.
    """
    folder = _folder()
    try:
        name = hash_file(path)
        if folder.exists() and not _is_private(folder):
            shutil.rmtree(folder)  # what others may have put there must not become ours
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).touch()
        _forget(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot record what was built ({error.strerror}); set GATEWRIGHT_CACHE "
            "to a directory that can be written"
        ) from None


def is_ours(path: Path) -> bool:
    """Whether a file is there, and is what a build of this user made.

    Records in a folder into which others can write tell nothing.
    """
    try:
        folder = _folder()
        found = folder / hash_file(path)
        if not _is_private(folder) or not found.exists():
            return False
    except OSError:
        return False
    with suppress(OSError):
        found.touch()  # in use
    return True


def _folder() -> Path:
    return cache_dir() / "built"


def _is_private(folder: Path) -> bool:
    about = folder.stat()
    writable = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return about.st_uid == os.geteuid() and not writable


def _forget(folder: Path) -> None:
    """Remove the oldest records if there are too many. Others may do so at the same time."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    if len(names) <= _MOST:
        return
    ages = []
    for name in names:
        with suppress(FileNotFoundError):
            ages.append(((folder / name).stat().st_mtime_ns, name))
    for _, name in sorted(ages)[: _MOST // 2]:
        (folder / name).unlink(missing_ok=True)
