"""Runs a command of Gatewright, and writes the time of its imports and of its own work.

`python _imports.py FILE COMMAND ...`, with the first Gatewright on PYTHONPATH. The processor time
of this process alone, in s, is written to FILE as JSON: `imports`, and `own` for the whole.
"""

from __future__ import annotations

import atexit
import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

_depth = threading.local()
_seconds = [0.0]


def _timed(name: str, run: Any) -> Any:
    """Import a module that isn't loaded yet; nested imports count once."""
    if getattr(_depth, "inside", False):
        return find_and_load(name, run)
    _depth.inside, start = True, time.thread_time()
    try:
        return find_and_load(name, run)
    finally:
        _depth.inside = False
        _seconds[0] += time.thread_time() - start


def _report(path: Path) -> None:
    path.write_text(json.dumps({"imports": _seconds[0], "own": time.process_time()}))


if __name__ == "__main__":
    atexit.register(_report, Path(sys.argv[1]))
    # The interpreter looks it up there for each module that is not loaded yet.
    bootstrap: Any = importlib._bootstrap
    find_and_load = bootstrap._find_and_load
    bootstrap._find_and_load = _timed
    sys.path.pop(0)  # this folder
    cli = importlib.import_module("gatewright.cli.commands")
    cli.main(sys.argv[2:])
