"""What the quantizers of a model can hold, and how much of what they are given they cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.editable_model import read
from gatewright.compress.quantize import integer_of


@dataclass(frozen=True)
class Range:
    """A quantizer of a model.

    Attributes:
        layer: Name of its layer.
        what: What it quantizes: `kernel`, `depthwise`, `pointwise`, `bias` or `activation`.
        quantizer: Its class in QKeras.
        bits: Width, sign included.
        integer: Integer bits, sign excluded; None where it has no fixed point.
        saturated: Share of the values beyond its range, from 0 to 1; None where that has no
            meaning, or no samples were given.
    """

    layer: str
    what: str
    quantizer: str
    bits: int
    integer: int | None
    saturated: float | None


def find_ranges(model: Any, samples: Sequence[NDArray[Any]] | None = None) -> list[Range]:
    """The quantizers of a model, in its order.

    Args:
        model: A tf-keras model.
        samples: What to measure the activations on, float [n, ...] per input of the model.
    """
    network = read(model)
    read_by = list(dict.fromkeys(node.inputs[0] for node in network if node.function))
    values: dict[str, NDArray[Any]] = {}
    if samples is not None:
        values = dict(zip(read_by, network.run(samples, read_by), strict=True))
    found: list[Range] = []
    for node in network:
        held = {**node.kernels, "bias": node.bias}
        if node.function and node.inputs[0] in values:
            held["activation"] = values[node.inputs[0]]
        found += [
            _range(node.name, what, quantizer, held.get(what))
            for what, quantizer in node.quantizers.items()
        ]
    return found


def _range(layer: str, what: str, quantizer: Any, values: NDArray[Any] | None) -> Range:
    kind = type(quantizer).__name__
    integer = saturated = None
    scaled = isinstance(getattr(quantizer, "alpha", None), str)  # channel by channel
    if kind in ("quantized_bits", "quantized_relu") and not scaled:
        integer = integer_of(quantizer)
        if values is not None and values.size:
            half = 2.0 ** (integer - quantizer.bits - (kind == "quantized_relu"))
            # Below zero a relu gives what it should.
            low = values < -(2.0**integer) - half if kind == "quantized_bits" else False
            saturated = float(np.mean((values > 2.0**integer - half) | low))
    return Range(layer, what, kind, int(quantizer.bits), integer, saturated)
