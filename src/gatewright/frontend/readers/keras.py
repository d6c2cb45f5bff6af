"""Reads Keras models, from files or live: an architecture and its weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.messages import first_line
from gatewright.frontend.network import Network
from gatewright.frontend.quantizers import QUANTIZERS
from gatewright.frontend.readers.architecture import parse_json, read_outline
from gatewright.frontend.readers.archive import zip_members
from gatewright.frontend.readers.child import Contents
from gatewright.frontend.readers.flatten import Flat, flatten
from gatewright.frontend.readers.hdf5 import read_content, read_hdf5
from gatewright.frontend.readers.hgq import is_hgq, without_hgq
from gatewright.frontend.readers.outline import Part
from gatewright.frontend.readers.outline import Path as Place
from gatewright.frontend.readers.saved_model import read_folder
from gatewright.frontend.readers.weights import (
    is_numbered,
    named_weights,
    numbered_weights,
    short_name,
    with_weights,
)
from gatewright.system.files import read_bytes

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
#: Largest text of an architecture in bytes.
_MAX_TEXT = 64 << 20


def read_pair(path: Path, weights: Path) -> Network:
    """Read an architecture `.json` with its weights `.h5`.

    Raises:
        InputError: if either is damaged, or they don't fit each other.
    """
    text, file = _text(path), read_hdf5(weights)
    return _with_file(_flat(str(path), text), file, str(weights))


def read_whole(path: Path) -> Network:
    """Read an `.h5` file with architecture and weights.

    Raises:
        InputError: if it is damaged or has no architecture.
    """
    file = read_hdf5(path)
    config = file.attributes.get("model_config")
    if config is None:
        raise InputError(
            f"{path}: holds weights but no architecture; save the whole model, with model.save, or "
            f"write model.to_json() to a .json file, and give that with --weights {path.name}"
        )
    flat = _flat(str(path), parse_json(str(path), config))
    return _with_file(flat, file, str(path))


def read_archive(path: Path) -> Network:
    """Read a `.keras` archive of tf-keras or Keras 3.

    Raises:
        InputError: if it is damaged, or unsafe to read.
    """
    members = zip_members(path)
    for name in (_CONFIG, _METADATA, _WEIGHTS):
        if name not in members:
            raise InputError(f"{path}: not a .keras model (it holds no {name})")
    architecture = parse_json(str(path), members[_CONFIG])
    file = read_content(members[_WEIGHTS], f"{path}: {_WEIGHTS}")
    if is_hgq(architecture):
        architecture, weights, notes = without_hgq(str(path), architecture, file.arrays)
        network = with_weights(_flat(str(path), architecture), weights, str(path))
        return replace(network, notes=(*network.notes, *notes))
    return _with_file(_flat(str(path), architecture), file, str(path))


def is_of_hgq(path: Path) -> bool:
    """Whether a `.keras` archive holds a model of HGQ2; False if it can't be read."""
    try:
        content = zip_members(path).get(_CONFIG)
        return content is not None and is_hgq(parse_json(str(path), content))
    except InputError:
        return False


def read_saved(folder: Path) -> Network:
    """Read the folder of a SavedModel that Keras 2 wrote.

    Raises:
        InputError: if it is damaged, or has no description of its layers.
    """
    file = read_folder(folder)
    flat = _flat(str(folder), parse_json(str(folder), file.attributes["model_config"]))
    return _with_file(flat, file, str(folder))


def read_live(model: Any, origin: str) -> Network:
    """Read a live model of tf-keras or Keras 3.

    Args:
        model: The model.
        origin: Its name in messages.

    Raises:
        InputError: if it isn't built, or can't describe its architecture.
    """
    if not model.built:
        raise InputError(f"{origin} is not built; call it or give its layers an input shape")
    try:
        text = model.to_json()
    except Exception as error:  # the user's own classes may raise any exception
        raise InputError(
            f"{origin}: doesn't describe its architecture ({first_line(error)})"
        ) from error
    architecture = json.loads(text)
    _complete(architecture, model)
    flat = _flat(origin, architecture)
    weights: dict[Place, dict[str, NDArray[Any]]] = {}
    _collect(flat.outline.model, model, (), weights)
    return with_weights(flat, weights, origin)


def _complete(architecture: Any, live: Any) -> None:
    """Add settings to an architecture that QKeras' quantizers leave out of their configurations."""
    config = architecture.get("config")
    if not isinstance(config, dict):
        return
    layers = {layer.name: layer for layer in getattr(live, "layers", ())}
    for each in config.get("layers", ()):
        inner = layers.get(each.get("config", {}).get("name"))
        if inner is not None:
            _complete(each, inner)
    for key, value in config.items():
        known = QUANTIZERS.get(value.get("class_name", "")) if isinstance(value, dict) else None
        attributes = (f"{key}_internal", "quantizer" if key == "activation" else key, key)
        found = next((getattr(live, name) for name in attributes if hasattr(live, name)), None)
        if known is not None and found is not None:
            given = {name: getattr(found, name) for name in known if hasattr(found, name)}
            # Variables and tensors are in the configuration already, as numbers.
            plain = {k: v for k, v in given.items() if isinstance(v, bool | int | float | str)}
            value["config"] = {**plain, **value["config"]}


def _collect(
    part: Part, live: Any, path: Place, weights: dict[Place, dict[str, NDArray[Any]]]
) -> None:
    """Collect the arrays of a live layer, and of all layers within it."""
    if part.is_model:
        layers = {layer.name: layer for layer in live.layers}
        for each in part.layers:
            if each.label in layers:
                _collect(each, layers[each.label], (*path, each.label), weights)
        return
    for attribute, (inner,) in part.within.items():
        # An attention's layers are no part of its interface.
        name = attribute if hasattr(live, attribute) else f"_{attribute}"
        _collect(inner, getattr(live, name), (*path, inner.label), weights)
    if path and hasattr(live, "weights"):  # operations have none
        weights[path] = {short_name(weight.name): _array(weight) for weight in live.weights}


def _array(weight: Any) -> Any:
    # Variables of some backends of Keras 3 have no `numpy`.
    return weight.numpy() if hasattr(weight, "numpy") else weight


def _flat(origin: str, architecture: Any) -> Flat:
    return flatten(read_outline(origin, architecture))


def _with_file(flat: Flat, file: Contents, origin: str) -> Network:
    read = numbered_weights if is_numbered(file.arrays) else named_weights
    return with_weights(flat, read(flat.outline, file.arrays, origin), origin)


def _text(path: Path) -> Any:
    return parse_json(str(path), read_bytes(path, _MAX_TEXT))
