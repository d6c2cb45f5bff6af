"""Saves a network as JSON and arrays, and reads them back with the checks for untrusted models.

The JSON holds the architecture in the form of Keras 2, so that the reader of models reads it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from gatewright.errors import InputError
from gatewright.frontend.keras2 import architecture
from gatewright.frontend.network import Network
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.readers.flatten import flatten
from gatewright.frontend.readers.weights import with_weights
from gatewright.parsing.arrays import load_npz
from gatewright.parsing.typed import Line, read

#: Most bytes of all weights of a network.
MAX_WEIGHTS = 1 << 30


@with_config(ConfigDict(extra="forbid"))
class Record(TypedDict):
    """The contents of the JSON file."""

    origin: Line
    framework: Literal["keras2", "keras3"]
    labels: dict[Line, Line]
    architecture: dict[str, Any]


def as_record(network: Network) -> tuple[Record, dict[str, NDArray[Any]]]:
    """The JSON of a network, and its arrays by `layer/weight`."""
    labels = {layer.name: layer.label for layer in network.layers if layer.label}
    arrays = {
        f"{layer.name}/{name}": array
        for layer in network.layers
        for name, array in layer.weights.items()
    }
    record: Record = {
        "origin": _line(network.origin),
        "framework": network.framework,
        "labels": labels,
        "architecture": architecture(network),
    }
    return record, arrays


def of_record(record: Record, arrays: Mapping[str, NDArray[Any]], where: str) -> Network:
    """The network of a record and its arrays, with the checks for untrusted models.

    Args:
        record: A record with the right types of fields; its values are still untrusted.
        arrays: Arrays by `layer/weight`.
        where: The name of the files in messages.

    Raises:
        InputError: if they don't describe a network.
    """
    flat = flatten(read_outline(where, record["architecture"]))
    weights: dict[tuple[str, ...], dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        layer, _, name = key.partition("/")
        weights.setdefault(flat.paths.get(layer, (layer,)), {})[name] = array
    network = with_weights(flat, weights, where)
    layers = tuple(
        replace(layer, label=record["labels"].get(layer.name, "")) for layer in network.layers
    )
    framework = record["framework"]
    return replace(network, origin=record["origin"], layers=layers, framework=framework)


def save_network(network: Network, stem: Path) -> None:
    """Write `stem`.json and `stem`.npz."""
    record, arrays = as_record(network)
    with stem.with_suffix(".npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    stem.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def load_network(stem: Path) -> Network | None:
    """Read `stem`.json and `stem`.npz; None if there is no such network.

    Raises:
        InputError: if the files are damaged or don't describe a network.
    """
    path = stem.with_suffix(".json")
    try:
        record = read(path, Record, "a network")
    except FileNotFoundError:
        return None
    arrays = load_npz(stem.with_suffix(".npz"), MAX_WEIGHTS)
    try:
        return of_record(record, arrays, str(path))
    except RecursionError:
        raise InputError(f"{path}: nested too deep") from None


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:2000]
