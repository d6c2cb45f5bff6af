"""Refuses tensors that are too large to build, or empty, before anything is computed on them."""

from __future__ import annotations

import math
from typing import Any

from gatewright.errors import InputError
from gatewright.frontend.network import Network
from gatewright.frontend.shapes import shapes_of

#: Most elements of a tensor, by io type. In io_parallel a tensor is a bus of all its elements.
MAX_ELEMENTS = {"parallel": 1 << 18, "stream": 1 << 26}


def check_sizes(network: Network, io: str) -> Network:
    """The network itself, if its tensors have sizes that can be built.

    hls4ml doesn't check that reshapes and permutations fit their inputs.

    Raises:
        InputError: if a tensor is too large or empty, or a reshape or permutation doesn't fit.
    """
    shapes = shapes_of(network)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    most = MAX_ELEMENTS[io]
    for layer in network.layers:
        where = f"{network.origin}: layer '{layer.name}'"
        moved: Any = layer.arguments.get("target_shape", layer.arguments.get("dims", ()))
        read = shapes[layer.inputs[0] if layer.inputs else layer.name][layer.over :]
        if layer.kind == "Reshape" and -1 not in moved and math.prod(moved) != math.prod(read):
            raise InputError(
                f"{where}: target_shape {list(moved)} has {math.prod(moved)} elements, but "
                f"its input has {math.prod(read)}"
            )
        if layer.kind == "Permute" and sorted(moved) != list(range(1, len(read) + 1)):
            raise InputError(
                f"{where}: dims {list(moved)} must be the axes 1 to {len(read)} of its "
                "input, each once"
            )
        shape = shapes[layer.name]
        if not shape:
            raise InputError(f"{where} gives a number without axes; reshape it to (1,)")
        if not 0 < sizes[layer.name] <= most or any(size < 1 for size in shape):
            text = " x ".join(map(str, shape))
            raise InputError(
                f"{where} gives a tensor of {text}; io_{io} takes 1 to {most} elements"
            )
    return network
