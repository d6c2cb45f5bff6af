"""Hashes of the Python code that a result depends on."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from gatewright.errors import InputError
from gatewright.system.files import hash_file

MODEL_FILE = "model.py"
"""The file that makes a folder a model folder."""

HGQ2_FILE = "model_hgq2.py"
"""The file of a model folder with the same network of HGQ2's layers."""

WORKER = "gatewright.compress.recipe_worker"
"""The module that runs steps of recipes."""


@functools.cache
def code_of(*modules: str) -> dict[str, str]:
    """SHA-256 hashes of the files of modules, of what they import of this package, and the worker.

    Args:
        modules: Names of modules.

    Returns:
        Hashes by module's name, sorted.
    """
    found = {name: _module_file(name) for name in modules}
    waiting = list(found)
    while waiting:
        for name in _imports(found[waiting.pop()]):
            if name.startswith(f"{__package__}.") and name not in found:
                found[name] = _module_file(name)
                waiting.append(name)
    # The worker's imports are left out: it imports the code of all steps.
    found[WORKER] = _module_file(WORKER)
    return {name: hash_file(file) for name, file in sorted(found.items())}


def _module_file(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin)


def sources_of(folder: Path) -> dict[str, str]:
    """SHA-256 hashes of a model folder's Python files, and of modules of Gatewright they import.

    Raises:
        InputError: if the folder has no model.py, or a file isn't valid Python.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.glob("*.py"))}
    if MODEL_FILE not in files:
        raise InputError(f"{folder / MODEL_FILE}: no such file")
    for path in list(files.values()):
        for name in _imports(path):
            if name.startswith("gatewright."):
                with contextlib.suppress(ModuleNotFoundError):  # the import itself will fail
                    files[name] = _module_file(name)
    return {name: hash_file(path) for name, path in files.items()}


def _imports(file: Path) -> Iterator[str]:
    """Names of the modules that a Python file imports anywhere."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise InputError(f"{file}: line {error.lineno}: {error.msg}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
