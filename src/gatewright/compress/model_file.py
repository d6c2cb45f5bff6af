"""Loads a Keras model from a file, after it has been looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.quiet import import_keras
from gatewright.frontend.source import first_line

SUFFIXES = (".h5", ".hdf5")


def load_model(path: Path) -> Any:
    """A tf-keras model, QKeras layers included, without the state of its optimizer.

    Raises:
        InputError: if the file is no such model, or holds code.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a Keras model to start from is a whole model in an .h5 file")
    load(path)  # refuses layers with code of their own, which Keras would run
    models = import_keras("tf_keras").models
    qkeras_objects: dict[str, Any] = {}
    import_keras("qkeras").utils._add_supported_quantized_objects(qkeras_objects)
    try:
        return models.load_model(path, custom_objects=qkeras_objects, compile=False)
    except Exception as error:
        raise InputError(f"{path}: can't be loaded ({first_line(error)})") from error
