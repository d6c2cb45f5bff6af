"""Renames layers whose names hls4ml, its C++ or the RTL can't use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gatewright.frontend.layer_names import identifier_of, is_free
from gatewright.frontend.network import Network


def rename(network: Network, taken: Collection[str] = ()) -> Network:
    """The network with names that don't clash; a renamed layer keeps its own name as its label.

    Args:
        network: The network.
        taken: Further names that a layer can't have, such as that of the C++ function.
    """
    names = {layer.name for layer in network.layers}
    called: dict[str, str] = {}
    for layer in network.layers:
        is_input = layer.name in network.inputs
        if is_free(layer.name, variable=is_input) and layer.name not in taken:
            continue
        called[layer.name] = identifier_of(
            layer.name, {*names, *taken, *called.values()}, variable=is_input
        )
    if not called:
        return network
    layers = tuple(
        replace(
            layer,
            name=called.get(layer.name, layer.name),
            inputs=tuple(called.get(name, name) for name in layer.inputs),
            label=layer.label or (layer.name if layer.name in called else ""),
        )
        for layer in network.layers
    )
    inputs, outputs = (
        tuple(called.get(name, name) for name in names)
        for names in (network.inputs, network.outputs)
    )
    return replace(network, layers=layers, inputs=inputs, outputs=outputs)
