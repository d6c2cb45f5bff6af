"""Layers that do nothing at inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Layer, Network


def remove_identities(network: Network, io: str) -> Network:
    """The network without layers that do nothing: who reads one reads its input.

    Permutations that do nothing go in streams only, where hls4ml's C++ swaps two axes all the same.
    """
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if layer.kind in IDENTITY or (io == "stream" and _is_in_place(layer)):
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _is_in_place(layer: Layer) -> bool:
    """Whether it is a permutation that leaves each axis where it is."""
    dims: Any = layer.arguments.get("dims", ())
    return layer.kind == "Permute" and dims == tuple(range(1, len(dims) + 1))
