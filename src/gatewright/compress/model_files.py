"""Loads model files as live tf-keras models, without running any of their code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.keras2 import architecture
from gatewright.frontend.kinds import MADE_BY_READERS
from gatewright.frontend.messages import first_line
from gatewright.frontend.network import Network
from gatewright.frontend.quiet import import_keras, quiet
from gatewright.frontend.readers.weights import short_name


def load_model(path: Path, weights: Path | None = None) -> Any:
    """Load a model that Keras wrote, with the checks of `gatewright.frontend.load`.

    tf-keras gets the typed description only, and not the file: it never looks up a class or module
    by a name in the file.

    Args:
        path: A whole `.h5` or `.keras`, or an architecture `.json`.
        weights: The `.h5` file of weights if `path` is a `.json`.

    Returns:
        A tf-keras model.

    Raises:
        InputError: if a file is missing or corrupt, or tf-keras can't build the model.
        UnsupportedError: if it isn't a Keras model, or tf-keras lacks a layer of it.
    """
    network = load(path, weights)
    if not isinstance(network, Network):
        raise UnsupportedError(
            f"{path}: only Keras models can be rewritten; save the model from tf-keras"
        )
    for layer in network.layers:
        if layer.kind in MADE_BY_READERS:
            what = "attention" if layer.kind == "Einsum" else "Bidirectional layers of sequences"
            raise UnsupportedError(
                f"{path}: a model with {what} can't be rewritten; give `convert` its types, by "
                "--set or --data"
            )
    keras, qkeras = import_keras("tf_keras"), import_keras("qkeras")
    known: dict[str, Any] = {}
    qkeras.utils._add_supported_quantized_objects(known)
    text = json.dumps(architecture(network, training=True))
    try:
        with quiet():
            model = keras.models.model_from_json(text, custom_objects=known)
            for layer in model.layers:
                arrays = network.layer(layer.name).weights
                layer.set_weights([arrays[short_name(weight.name)] for weight in layer.weights])
    except Exception as error:
        raise InputError(f"{path}: can't be loaded ({first_line(error)})") from error
    return model
