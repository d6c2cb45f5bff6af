"""What makes a kernel of a layer, by hls4ml's class name; and the fields that many kernels have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatewright.hlsgraph import weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.marks import marked
from gatewright.kernels import Kernel

Lowering = Callable[[Layer], Kernel]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*kinds: str) -> Callable[[Lowering], Lowering]:
    """Register a function as what makes a kernel of layers.

    Args:
        kinds: hls4ml's names of their classes.
    """

    def register(lowering: Lowering) -> Lowering:
        for kind in kinds:
            assert kind not in LOWERINGS, kind
            LOWERINGS[kind] = lowering
        return lowering

    return register


def place(layer: Layer) -> dict[str, Any]:
    """The fields that every kernel has."""
    return {"layer": layer.name, "inputs": layer.inputs, "output": layer.output}


def multiplication(layer: Layer) -> dict[str, Any]:
    """The fields of a kernel that say how it multiplies.

    They are what the user asked for, which hls4ml's own may say less of; see `frontend`.
    """
    node = layer.node
    return {
        "strategy": str(marked(node, "strategy", weights.strategy(node))).lower(),
        "reuse_factor": int(marked(node, "reuse_factor", weights.reuse_factor(node))),
        "multiplier": str(marked(node, "multiplier", "auto")),
        "rom_style": str(marked(node, "rom_style", "auto")),
    }


def rows(layer: Layer) -> dict[str, Any]:
    """The field of a kernel that says where rows of an image stand."""
    return {"ram_style": str(marked(layer.node, "ram_style", "auto"))}
