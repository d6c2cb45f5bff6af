"""Flattened tensors in streams, which hls4ml's C++ passes on as the pixels that they were."""

from __future__ import annotations

import math

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten

#: What reads pixels as the elements of one vector, if nothing else does.
_READS_PIXELS = ("Dense", "QDense")


def pack_before_flattening(network: Network, io: str) -> Network:
    """The network in streams with whole vectors behind each Flatten.

    One Dense reads pixels, too, and is given them as they are.
    """
    if io != "stream":
        return network
    readers = {
        layer.name: [each for each in network.layers if layer.name in each.inputs]
        for layer in network.layers
        if layer.kind == "Flatten"
    }

    def rule(parts: Parts) -> None:
        read_by = readers[parts.layer.name]
        plain = len(read_by) == parts.readers == 1 and read_by[0].kind in _READS_PIXELS
        shape = parts.given[0]
        if plain or math.prod(shape) == shape[-1]:
            return
        row = parts.add("Reshape", "row", parts.source, target_shape=(1, math.prod(shape)))
        parts.keep(row)

    return rewritten(network, rule, ["Flatten"], io)
