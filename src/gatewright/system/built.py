"""Records of this user's own builds, the only files that are run as code.

A project directory can come from anybody. Code in it (the compiled emulation, simulation
executables) is run only if its hash was recorded here when it was built; otherwise it is built
again from sources. Records are empty files in the cache directory, named by hash. If one is lost,
its file is built once more.
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
"""Most records; if there are more, the least recently used half is removed."""


def record(path: Path) -> None:
    """Record the content of a file as built by this user.

    Raises:
        InputError: if the file can't be read, or the record can't be written.
    """
    folder = _folder()
    try:
        name = hash_file(path)
        if folder.exists() and not _is_private(folder):
            shutil.rmtree(folder)  # others may have written records
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).touch()
        _forget(folder, name)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot record what was built ({error.strerror}); set GATEWRIGHT_CACHE "
            "to a writable directory"
        ) from None


def is_ours(path: Path) -> bool:
    """Whether a file exists and was built by this user.

    Records in a directory that others can write to are not trusted.
    """
    try:
        folder = _folder()
        found = folder / hash_file(path)
        if not _is_private(folder) or not found.exists():
            return False
    except OSError:
        return False
    with suppress(OSError):
        found.touch()  # mark as used
    return True


def _folder() -> Path:
    return cache_dir() / "built"


def _is_private(folder: Path) -> bool:
    about = folder.stat()
    writable = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return about.st_uid == os.geteuid() and not writable


def _forget(folder: Path, new: str) -> None:
    """Remove the oldest records if there are too many, but not the new one.

    Records that were used within one tick of the clock are equally old. Other processes may remove
    records as well.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name != new]
    if len(names) < _MOST:
        return
    ages = []
    for name in names:
        with suppress(FileNotFoundError):
            ages.append(((folder / name).stat().st_mtime_ns, name))
    for _, name in sorted(ages)[: _MOST // 2]:
        (folder / name).unlink(missing_ok=True)
