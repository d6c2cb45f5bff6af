"""Reads files within limits, and writes files and directories atomically."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gatewright.errors import InputError, place_of


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file; never waits for a pipe, a device or a socket.

    Args:
        path: The file.
        limit: Largest size, in bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        InputError: if it can't be read, is not a regular file, or is larger.
    """
    try:
        with opened(path, limit) as file:
            return file.read(limit)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from None


def require_regular(path: Path, status: os.stat_result) -> None:
    """Refuse anything but a regular file, because reading it might never end.

    Args:
        path: The file.
        status: Its status from the system.

    Raises:
        InputError: if it is a directory, a pipe, a device or a socket.
    """
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is a pipe, a device or a socket, not a file")


def require_file(path: Path) -> None:
    """Check that there is a regular file to read.

    Raises:
        InputError: if there is none.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from None
    require_regular(path, status)


def check_new_file(path: Path) -> None:
    """Check, before work is done for it, that a file can be written or replaced.

    Raises:
        InputError: if it can't.
    """
    try:
        require_regular(path, path.stat())
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({_reason(error)})") from None
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Check that a directory can be written to, or created if it does not exist.

    Raises:
        InputError: if it can't.
    """
    try:
        place = next(folder for folder in (path, *path.parents) if folder.exists())
        if not place.is_dir():
            raise InputError(f"{place}: is a file, not a directory; name another directory")
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"{place}: cannot be written; name another directory")
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be created ({_reason(error)})") from None


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: under a temporary name beside it, which is then renamed.

    Raises:
        InputError: if it can't be written.
    """
    with replaced_file(path) as file:
        file.write(text.encode())


@contextmanager
def opened(path: Path, limit_bytes: int | None = None) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading; devices and pipes, which may never end, are refused.

    Args:
        path: the file.
        limit_bytes: largest size, in bytes; no limit if None.

    Raises:
        InputError: if it is larger than the limit.
        OSError: if it can't be opened, or is not a regular file.
    """
    # Opening a pipe would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        if limit_bytes is not None and found.st_size > limit_bytes:
            from rich.filesize import decimal

            raise InputError(
                f"{path}: {decimal(found.st_size)}, more than the limit of {decimal(limit_bytes)}"
            )
        yield file


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: if it can't be read, or is not a regular file.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replaced_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file that replaces `path` if the block succeeds, and is removed otherwise.

    Temporary files that killed processes left for `path` are removed.

    Raises:
        InputError: if it can't be written.
    """
    temporary = None
    try:
        if path.exists():  # renaming must not replace a device by a file
            require_regular(path, path.stat())
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_litter(path.parent, path.name)
        descriptor, temporary = _temporary_file(path)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private, but it is a result
            temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
        raise


def _temporary_file(path: Path) -> tuple[int, Path]:
    """A new open file beside `path`; its lock shows that it is not a leftover."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path.name))
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if Path(name).exists():  # no other process removed it before it was locked
            return descriptor, Path(name)
        os.close(descriptor)


def _prefix(name: str) -> str:
    """Prefix of the names of temporary files and directories for `name` only."""
    return f".{name}.gatewright-"


def remove_litter(directory: Path, name: str) -> None:
    """Remove the temporary files and directories that ended processes left for `name`."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(_prefix(name)) and not in_use(Path(entry.path)):
                remove(Path(entry.path))


def in_use(path: Path) -> bool:
    """Whether a process holds the lock of a temporary file; True if the lock can't be tested."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return error.errno != errno.ELOOP
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove(path: Path) -> None:
    """Remove a file, link or directory, if possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def make_way(path: Path) -> None:
    """Remove anything but a file from the path of a file that we write."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        remove(path)


@contextmanager
def replaced_directories(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """New directories that together replace `targets` if the block succeeds.

    If it fails, they are removed, together with parent directories created for them, and `targets`
    stay unchanged.
    """
    made = [folder for target in targets for folder in _make_parents(target)]
    temporary: list[Path] = []
    replaced: dict[Path, Path] = {}
    try:
        for target in targets:
            for stale in target.parent.glob(f"{_prefix(target.name)}*"):
                remove(stale)
            temporary.append(temporary_directory(target.parent, _prefix(target.name)))
        yield tuple(temporary)
        for new, target in zip(temporary, targets, strict=True):
            if os.path.lexists(target):
                old = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target.name)))
                replaced[target] = target.rename(old / target.name)
            new.rename(target)
    except BaseException:
        for target, old in replaced.items():
            remove(target)
            old.rename(target)
            old.parent.rmdir()
        for folder in temporary:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise
    for old in replaced.values():
        remove(old.parent)


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """A new directory that replaces `target` if the block succeeds, and is removed otherwise."""
    with replaced_directories(target) as (temporary,):
        yield temporary


def temporary_directory(parent: Path, prefix: str) -> Path:
    """Create a directory with a new name in `parent`, with the usual permissions."""
    made = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    made.chmod(0o777 & ~_umask())  # mkdtemp makes it private, but it becomes a result
    return made


def flush(*paths: Path) -> None:
    """Write files, and the entries of directories, to disk now.

    Raises:
        OSError: if the disk fails or is full.
    """
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some file systems do not support it for directories.
            if not (path.is_dir() and error.errno == errno.EINVAL):
                raise
        finally:
            os.close(descriptor)


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file, which exists only while a process holds it or waits for it.

    The system frees the lock when its holder ends in any way; if the holder was killed, the next
    holder removes the file. The lock works between threads and processes, and between machines if
    the file system supports it.

    Args:
        path: the lock file, in an existing directory.
        wait: whether to wait until it is free.

    Yields:
        Whether the lock is held; always True with `wait`.

    Raises:
        InputError: if the file can't be written, or the file system has no locks.
    """
    try:
        descriptor = _lock(path, wait=wait)
    except OSError as error:
        raise InputError(f"{path}: cannot be locked ({error.strerror})") from None
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        # A process that waits for this file gets the lock, finds it removed, and starts again.
        with suppress(OSError):
            path.unlink()
        _release(descriptor)


def _lock(path: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the lock of the current file at `path`; None if it is not free."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Open it again instead of comparing names, which a network file system may cache.
            again = os.open(path, os.O_RDWR)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            os.close(descriptor)
            continue
        except BaseException:
            os.close(descriptor)
            raise
        same = os.path.sameopenfile(descriptor, again)
        os.close(again)
        if same:
            return descriptor
        os.close(descriptor)


_ROOM = 1 << 20  # bytes; a disk with less free space is full


@contextmanager
def locked(directory: Path, *, wait: bool = True) -> Iterator[bool]:
    """Lock a directory. The system frees the lock when the process ends.

    If the file system has no locks, nothing is locked.

    Args:
        directory: the directory.
        wait: whether to wait until it is free.

    Yields:
        False if another process holds it; always True with `wait`, or without locks.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    free = True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            free = False
        except OSError:
            pass
        with _full_disk_named(directory):
            yield free
    finally:
        _release(descriptor)


@contextmanager
def _full_disk_named(directory: Path) -> Iterator[None]:
    """Context that adds the directory to errors without a path, and reports a full disk.

    On a full disk a file can be incomplete, which shows only later, as a tool that fails or as
    truncated text.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno is None or place_of(error) is not None:
            raise
        raise OSError(error.errno, error.strerror, str(directory)) from error
    except Exception as error:
        if shutil.disk_usage(directory).free >= _ROOM:
            raise
        reason = " ".join(f"{error}".split())
        raise InputError(f"{directory}: no space left on its disk ({reason})") from error


def _release(descriptor: int) -> None:
    """Free the lock of an open file. Closing is not enough if a forked process has it open."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _make_parents(target: Path) -> list[Path]:
    """Create the directories above a path, and return those that were missing, outermost first."""
    missing = [folder for folder in reversed(target.parents) if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target.parent}: cannot be created ({error.strerror})") from None
    return missing


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
