"""Model files as live tf-keras models, without running any of their code."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.quiet import import_keras, quiet
from gatewright.frontend.source import KerasSource, first_line, short_name

# By these Keras would import modules that a file names; without them it knows its own classes only.
_IMPORTS = ("module", "registered_name", "build_config")


def load_model(path: Path, weights: Path | None = None) -> Any:
    """Load a model that tf-keras wrote, checked as `gatewright.frontend.load` checks it.

    Args:
        path: A whole `.h5` or `.keras`, or an architecture `.json`.
        weights: The `.h5` file of weights that belongs to a `.json`.

    Raises:
        InputError: if a file is missing or corrupt, or its model can't be made.
        UnsupportedError: if it is no model of tf-keras.
    """
    source = load(path, weights)
    if not isinstance(source, KerasSource):
        raise UnsupportedError(
            f"{path}: only models of tf-keras can be rewritten; save the model from tf-keras"
        )
    keras, qkeras = import_keras("tf_keras"), import_keras("qkeras")
    known: dict[str, Any] = {}
    qkeras.utils._add_supported_quantized_objects(known)
    text = json.dumps(_without_imports(_architecture(path)))
    try:
        with quiet():
            model = keras.models.model_from_json(text, custom_objects=known)
            for layer in model.layers:
                arrays = source.weights.get(layer.name, {})
                layer.set_weights([arrays[short_name(weight.name)] for weight in layer.weights])
    except Exception as error:
        raise InputError(f"{path}: can't be loaded ({first_line(error)})") from error
    return model


def _architecture(path: Path) -> Any:
    """The architecture as it stands in the file; it has been read and checked before."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return json.loads(path.read_text())
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path, "r") as file:
        return json.loads(file.attrs["model_config"])


def _without_imports(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_imports(v) for k, v in value.items() if k not in _IMPORTS}
    return [_without_imports(each) for each in value] if isinstance(value, list) else value
