"""Runs a script that reads or runs a stranger's file, in a child process, and tells what it found.

Called as `python worker.py SCRIPT ARGUMENT... FD MOST`: the script's own arguments, the descriptor
of a file to write arrays to, and the most bytes of the file's content. The script has a function
`answer(arguments, put, most)`, which gives text by key and calls `put(name, array)` for each array;
and an exception `Unfit`, for a file that is readable, but can't be taken. Prints one line of JSON:
`attributes`, and `arrays`, the offset and length in bytes of each; or `unfit` or `error` with a
reason. It imports nothing of Gatewright, so that it runs in any environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def _loaded(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(script).stem, script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _asked(script: ModuleType, arguments: list[str], target: int, most: int) -> dict[str, Any]:
    places: dict[str, list[int]] = {}
    with os.fdopen(target, "wb") as out:

        def put(name: str, array: Any) -> None:
            begin = out.tell()
            np.save(out, array, allow_pickle=False)
            places[name] = [begin, out.tell() - begin]

        try:
            return {"attributes": script.answer(arguments, put, most), "arrays": places}
        except script.Unfit as error:
            return {"unfit": str(error)}
        except Exception as error:  # libraries raise any exception for damaged files
            return {"error": str(error).partition("\n")[0] or type(error).__name__}


def main() -> None:
    """Run the script given on the command line."""
    script, *arguments, target, most = sys.argv[1:]
    warnings.simplefilter("ignore")
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to standard output
    told.write(json.dumps(_asked(_loaded(script), arguments, int(target), int(most))))
    told.flush()


if __name__ == "__main__":
    main()
