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
"""What a model folder is known by."""

WORKER = "gatewright.compress.recipe_worker"
"""The module that does steps."""


@functools.cache
def code_of(*modules: str) -> dict[str, str]:
    """Hashes of the worker's code and of modules, with those that they import of this room."""
    found = {name: _module_file(name) for name in modules}
    waiting = list(found)
    while waiting:
        for name in _imports(found[waiting.pop()]):
            if name.startswith(f"{__package__}.") and name not in found:
                found[name] = _module_file(name)
                waiting.append(name)
    # The worker imports what all steps need; a step itself depends on its own code alone.
    found[WORKER] = _module_file(WORKER)
    return {name: hash_file(file) for name, file in sorted(found.items())}


def _module_file(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin)


def sources_of(folder: Path) -> dict[str, str]:
    """Hashes of a model folder's Python files, and of what they import of Gatewright."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.glob("*.py"))}
    if MODEL_FILE not in files:
        raise InputError(f"{folder / MODEL_FILE}: no such file")
    for path in list(files.values()):
        for name in _imports(path):
            if name.startswith("gatewright."):
                with contextlib.suppress(ModuleNotFoundError):  # said where it is imported
                    files[name] = _module_file(name)
    return {name: hash_file(path) for name, path in files.items()}


def _imports(file: Path) -> Iterator[str]:
    """Names of the modules that a Python file imports, wherever in it."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise InputError(f"{file}: line {error.lineno}: {error.msg}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
