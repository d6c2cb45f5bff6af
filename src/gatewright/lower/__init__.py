"""Lowers hls4ml's ModelGraph to a Design, with a kernel for each layer.

The flow of hls4ml's Vitis backend has been applied to the graph, so all types are chosen, and each
layer is the one whose C++ is called. docs/semantics.md defines their meaning.
`hlsgraph` reads the graph. Each module here is a family of layers; each of its functions makes a
kernel of a layer, and is registered under hls4ml's class names.
"""

from __future__ import annotations

from typing import Any

from gatewright.design.dataflow import Design
from gatewright.errors import in_own_names
from gatewright.hlsgraph import limits, marks
from gatewright.hlsgraph.layers import Layer, read
from gatewright.kernels import Kernel
from gatewright.lower import (  # noqa: F401 - they register what they lower
    activation,
    image,
    recurrent,
    softmax,
    tensor,
    weighted,
)
from gatewright.lower.registry import LOWERINGS

#: Nodes that only name a tensor.
_NAMES = ("Input", "Clone")


def lower(graph: Any) -> Design:
    """Make the Design of a ModelGraph.

    A tensor has the name of hls4ml's output, which is that of its layer; a kernel's `layer` is the
    name of the layer in hls4ml's traces.

    Args:
        graph: hls4ml's ModelGraph for its Vitis backend, after its flow was applied.

    Raises:
        UnsupportedError: if a layer, or one of its settings, can't be built exactly; names the
            layer and the reason.
        InputError: if weights are not numbers.
    """
    labels = marks.labels(graph)
    with in_own_names(labels):
        found = read(graph)
        limits.check(found)
        return Design(
            name=found.name,
            inputs=tuple(each.tensor for each in found.inputs),
            outputs=tuple(each.tensor for each in found.outputs),
            kernels=tuple(_kernel(layer) for layer in found.layers if layer.kind not in _NAMES),
            io="stream" if found.streams else "parallel",
            labels=labels,
        )


def _kernel(layer: Layer) -> Kernel:
    lowering = LOWERINGS.get(layer.kind)
    if lowering is None:
        raise layer.refuse(limits.NOT_BUILT)
    return lowering(layer)
