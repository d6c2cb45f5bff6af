"""Rewrites reshapes as hls4ml needs them: with known sizes and, in streams, whole pixels."""

from __future__ import annotations

import math

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import shape_of

#: Layers that can read pixels as elements of one vector, if they are the only reader.
_READS_PIXELS = ("Dense", "QDense")


def write_out_sizes(network: Network) -> Network:
    """The network with sizes of -1 in reshapes replaced by numbers."""

    def rule(parts: Parts) -> None:
        shape = shape_of(parts.layer, parts.given)
        if shape != parts.layer.arguments["target_shape"]:
            parts.keep(target_shape=shape)

    return rewritten(network, rule, ["Reshape"])


def reshape_by_whole_pixels(network: Network, io: str) -> Network:
    """The network with reshapes in which one pixel's size divides the other's, in streams.

    hls4ml's C++ for streams can only split a pixel into several, or join several into one.
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
    """The network with an explicit reshape to one vector before layers that flatten, in streams.

    hls4ml's C++ passes the pixels on unchanged; a single Dense can read them as the elements of a
    vector. hls4ml packs outputs of the network by itself.
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
