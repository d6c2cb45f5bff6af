"""Keeps the output of TensorFlow and hls4ml out of Gatewright's output."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import IO

from gatewright.errors import InputError

_INSTALL = "pip install 'gatewright[keras]'"


@contextlib.contextmanager
def quiet(log: IO[str] | None = None) -> Iterator[None]:
    """Redirect Python's standard output and error streams to `log`, or drop them if it is None."""
    sink = log if log is not None else io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


@contextlib.contextmanager
def _mute() -> Iterator[None]:
    """Hide what C++ writes to the standard error stream; show it if the body fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except Exception:
            sink.seek(0)
            os.write(saved, sink.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def import_keras(module: str) -> ModuleType:
    """Import `tf_keras` or `qkeras`, and configure TensorFlow to be quiet and to use Keras 2.

    Raises:
        InputError: if it isn't installed, or TensorFlow was imported with Keras 3 as its Keras.
    """
    if (loaded := sys.modules.get(module)) is not None:
        return loaded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") != "1":
        raise InputError("TF_USE_LEGACY_KERAS must be 1 to read Keras 2 and QKeras models")
    try:
        with _mute(), quiet():
            return import_module(module)
    except ImportError as error:
        name = error.name or module
        raise InputError(
            f"reading this model needs {name}, which isn't installed; type: {_INSTALL}"
        ) from error
    except AttributeError as error:
        raise InputError(
            f"{module} does not work with the TensorFlow that is loaded; set TF_USE_LEGACY_KERAS=1 "
            "before TensorFlow is imported"
        ) from error
