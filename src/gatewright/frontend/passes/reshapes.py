"""Reshapes as hls4ml has them: of known sizes; in streams of pixels that fit into each other."""

from __future__ import annotations

import math

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import shape_of

#: What reads pixels as the elements of one vector, if nothing else does.
_READS_PIXELS = ("Dense", "QDense")


def write_out_sizes(network: Network) -> Network:
    """The network without reshapes that leave a size open."""

    def rule(parts: Parts) -> None:
        shape = shape_of(parts.layer, parts.given)
        if shape != parts.layer.arguments["target_shape"]:
            parts.keep(target_shape=shape)

    return rewritten(network, rule, ["Reshape"])


def reshape_by_whole_pixels(network: Network, io: str) -> Network:
    """The network in streams with reshapes of which one size of pixels divides the other.

    hls4ml's C++ makes several pixels of one, or one of several.
    """

    def rule(parts: Parts) -> None:
        given, wanted = parts.given[0], shape_of(parts.layer, parts.given)
        lanes = given[-1], wanted[-1]
        if max(lanes) % min(lanes) == 0:
            return
        pixel = math.lcm(*lanes)
        parts.note(f"reshape of pixels of {lanes[0]} values to {lanes[1]} by way of {pixel}")
        rows = (math.prod(given) // pixel, pixel)
        parts.keep(parts.add("Reshape", "joined", parts.source, target_shape=rows))

    if io != "stream":
        return network
    return rewritten(network, rule, ["Reshape"], io)


def pack_before_flattening(network: Network, io: str) -> Network:
    """The network in streams with whole vectors behind what flattens a tensor.

    hls4ml's C++ passes pixels on as they are, which one Dense reads as the elements of a vector.
    What is an output, hls4ml packs itself.
    """

    def rule(parts: Parts) -> None:
        name, given = parts.layer.name, parts.given[0]
        if len(shape_of(parts.layer, parts.given)) > 1 or math.prod(given) == given[-1]:
            return
        if name in network.outputs:
            return
        read_by = [each for each in network.layers if name in each.inputs]
        if len(read_by) == 1 and read_by[0].kind in _READS_PIXELS:
            return
        row = parts.add("Reshape", "row", parts.source, target_shape=(1, math.prod(given)))
        parts.keep(row)

    if io != "stream":
        return network
    return rewritten(network, rule, ["Flatten", "Reshape"], io)
