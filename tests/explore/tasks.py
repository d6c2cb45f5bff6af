"""Tasks for the engines' tests: they run in other processes, so they stand in a module."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gatewright.errors import InputError
from gatewright.system import processes


def add(a: int, b: int) -> int:
    return a + b


def fail(message: str) -> None:
    raise InputError(message)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for(file: Path, *, give: Any = None) -> Any:
    while not file.exists():
        time.sleep(0.01)
    return give


def sleep_in_child(note: Path) -> None:
    """Start a process that would sleep for long; note its id and ours."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with processes.started(command) as child:
        note.write_text(f"{os.getpid()} {child.pid}")
        child.wait()


def note_and_wait(folder: Path, name: str, release: Path) -> str:
    """Tell that the task runs, and by which process, until it is released."""
    (folder / name).write_text(str(os.getpid()))
    wait_for(release)
    (folder / name).unlink()
    return name
