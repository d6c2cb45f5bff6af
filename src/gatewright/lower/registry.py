"""The registry of lowering functions by hls4ml's class name, and fields that kernels share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatewright.fixed import WORD_BITS
from gatewright.hlsgraph import weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.marks import marked
from gatewright.kernels import Kernel

Lowering = Callable[[Layer], Kernel]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*kinds: str) -> Callable[[Lowering], Lowering]:
    """Register the decorated function to lower layers.

    Args:
        kinds: class names of the layers in hls4ml.
    """

    def register(lowering: Lowering) -> Lowering:
        for kind in kinds:
            assert kind not in LOWERINGS, kind
            LOWERINGS[kind] = lowering
        return lowering

    return register


def place(layer: Layer) -> dict[str, Any]:
    """The fields that every kernel has.

    Raises:
        UnsupportedError: if the result's type is wider than any number here.
    """
    to = layer.output.type
    if to.width > WORD_BITS:
        raise layer.refuse(
            f"its result, {to}, is wider than {WORD_BITS} bits; quantize it in the model, as "
            "enable_oq=True of HGQ2's layers does, or set its precision.result where none does"
        )
    return {"layer": layer.name, "inputs": layer.inputs, "output": layer.output}


def multiplication(layer: Layer) -> dict[str, Any]:
    """The fields of a kernel for its multiplication.

    They are the user's settings, of which hls4ml's own attributes may have less; see `frontend`.
    """
    node = layer.node
    return {
        "strategy": str(marked(node, "strategy", weights.strategy(node))).lower(),
        "reuse_factor": int(marked(node, "reuse_factor", weights.reuse_factor(node))),
        "multiplier": str(marked(node, "multiplier", "auto")),
        "rom_style": str(marked(node, "rom_style", "auto")),
    }


def rows(layer: Layer) -> dict[str, Any]:
    """The field of a kernel for the memory of image rows."""
    return {"ram_style": str(marked(layer.node, "ram_style", "auto"))}
