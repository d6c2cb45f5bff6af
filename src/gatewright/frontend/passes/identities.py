"""Layers that do nothing at inference."""

from __future__ import annotations

from dataclasses import replace

from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Network


def remove_identities(network: Network) -> Network:
    """The network without layers that do nothing: who reads one reads its input."""
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if layer.kind in IDENTITY:
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)
