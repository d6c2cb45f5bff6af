"""The ranges of a model's quantizers, and the share of values that they cut off."""

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
    """The range of a quantizer of a model.

    Attributes:
        layer: Name of its layer.
        what: What it quantizes: `kernel`, `depthwise`, `pointwise`, `bias` or `activation`.
        quantizer: Its class in QKeras.
        bits: Width in bits, including the sign.
        integer: Integer bits without the sign; None if it isn't fixed point.
        saturated: Share of the values beyond its range, from 0 to 1; None if that has no meaning
            for the quantizer, or there were no samples.
    """

    layer: str
    what: str
    quantizer: str
    bits: int
    integer: int | None
    saturated: float | None


def find_ranges(model: Any, samples: Sequence[NDArray[Any]] | None = None) -> list[Range]:
    """The ranges of a model's quantizers, in the order of its layers.

    Args:
        model: A tf-keras model.
        samples: Samples on which activations are measured, float [n, ...] for each input of the
            model; None to leave them out.

    Raises:
        InputError, UnsupportedError: as `editable_model.read`.
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
    scaled = isinstance(getattr(quantizer, "alpha", None), str)  # measured for each channel
    if kind in ("quantized_bits", "quantized_relu") and not scaled:
        integer = integer_of(quantizer)
        if values is not None and values.size:
            half = 2.0 ** (integer - quantizer.bits - (kind == "quantized_relu"))
            # A relu doesn't cut off negative values: 0 is their right result.
            low = values < -(2.0**integer) - half if kind == "quantized_bits" else False
            saturated = float(np.mean((values > 2.0**integer - half) | low))
    return Range(layer, what, kind, int(quantizer.bits), integer, saturated)
