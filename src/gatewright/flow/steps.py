"""Steps of a project directory: each runs once per content."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.files import write_text
from gatewright.resources import data_dir

#: What a step returns for its stamp: plain JSON data.
Results = dict[str, Any]

#: Parts of the package that no step's result depends on.
_VIEWS = ("report", "cli.py", "doctor.py")


@dataclass(frozen=True)
class Stamp:
    """Record of a finished step."""

    step: str
    key: str
    results: Results
    seconds: float
    fresh: bool  # whether it ran now, instead of being found done


def run_step(directory: Path, step: str, key: str, action: Callable[[], Results]) -> Stamp:
    """Run `action` unless the step's stamp carries `key` already.

    The stamp is removed before the action starts and written after it ends, so that an
    interrupted step runs again.
    """
    found = read_stamp(directory, step)
    if found is not None and found.key == key:
        return found
    path = _path(directory, step)
    path.unlink(missing_ok=True)
    start = time.monotonic()
    results = action()
    seconds = time.monotonic() - start
    write_text(
        path, json.dumps({"key": key, "seconds": round(seconds, 3), "results": results}, indent=1)
    )
    return Stamp(step, key, results, seconds, fresh=True)


def read_stamp(directory: Path, step: str) -> Stamp | None:
    """The stamp of a finished step, None if there is none."""
    try:
        fields = json.loads(_path(directory, step).read_text())
        return Stamp(step, fields["key"], fields["results"], fields["seconds"], fresh=False)
    except (OSError, ValueError, KeyError):
        return None


def _path(directory: Path, step: str) -> Path:
    return directory / "steps" / f"{step}.json"


def key_of(*parts: object) -> str:
    """Hash of JSON-able parts and of the code that runs the steps."""
    text = json.dumps([code_hash(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_files(paths: list[Path]) -> str:
    """Hash of the names and contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def code_hash() -> str:
    """Hash of everything in the package, and of its data, that results depend on."""
    package = Path(__file__).resolve().parents[1]
    files = [
        path
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] not in _VIEWS
    ]
    for name in ("rtl", "sim", "hls"):
        files += sorted(path for path in data_dir(name).rglob("*.*") if path.is_file())
    return hash_files([path for path in files if "__pycache__" not in path.parts])
