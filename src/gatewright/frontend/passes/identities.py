"""Removes layers that do nothing at inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Layer, Network


def remove_identities(network: Network, io: str) -> Network:
    """The network without layers that do nothing: their readers read their inputs instead.

    Permutations that change nothing are removed in streams only: hls4ml's C++ for streams would
    swap two axes nevertheless.
    """
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        in_place = io == "stream" and _is_in_place(layer)
        if layer.kind in IDENTITY or in_place or _is_one_and_zero(layer):
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _is_in_place(layer: Layer) -> bool:
    """Whether a layer is a permutation that leaves each axis where it is."""
    dims: Any = layer.arguments.get("dims", ())
    return layer.kind == "Permute" and dims == tuple(range(1, len(dims) + 1))


def _is_one_and_zero(layer: Layer) -> bool:
    """Whether a layer is a batch normalization that multiplies by 1 and adds 0.

    hls4ml drops it too, but only after it has inferred the types of its readers.
    """
    if layer.kind != "BatchNormalization":
        return False
    epsilon: Any = layer.arguments["epsilon"]
    mean, variance = layer.weights["moving_mean"], layer.weights["moving_variance"]
    with np.errstate(all="ignore"):  # infinities and NaN are refused later
        scale = layer.weights.get("gamma", 1) / np.sqrt(variance + np.float32(epsilon))
        shift = layer.weights.get("beta", 0) - scale * mean
    return bool(np.all(scale == 1) and np.all(shift == 0))
