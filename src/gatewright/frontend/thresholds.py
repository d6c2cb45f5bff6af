"""Exact thresholds for a batch normalization followed by a binary or ternary activation.

hls4ml merges the two layers into comparisons of the input with thresholds. It rounds a threshold
down to the input's unit, so that inputs between the two values get the wrong sign. It also treats
negative scales as positive. Here a threshold is the least input whose normalization reaches the
level, and layers that comparisons can't express stay separate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.hlsgraph import activation
from gatewright.hlsgraph.marks import mark, marked
from gatewright.hlsgraph.node import read_type

_PASS_NAME = "vivado:merge_batch_norm_quantized_tanh"  # noqa: S105 - a pass of hls4ml's
#: Marks on a merged node: the normalization's scale and bias, and the activation's level.
_SCALE, _BIAS, _LEVEL = "scale", "bias", "level"


@contextlib.contextmanager
def normalizations_kept() -> Iterator[None]:
    """Within this context, hls4ml's conversion marks merged nodes for `settle_thresholds`.

    Raises:
        UnsupportedError: if a ternary activation follows a normalization with a scale that isn't
            positive.
    """
    from hls4ml.backends.vivado.passes.bn_quant import MergeBatchNormAndQuantizedTanh
    from hls4ml.model.optimizer.optimizer import optimizer_map

    class Keeping(MergeBatchNormAndQuantizedTanh):  # type: ignore[misc]  # hls4ml has no types
        def match(self, node: Any) -> bool:
            if not super().match(node):
                return False
            before = node.get_input_node()
            rises = bool((np.asarray(before.weights["scale"].data) > 0).all())
            if not rises and "binary" not in activation.function(node):
                raise UnsupportedError(
                    f"layer '{node.name}': the scale of the batch normalization before it is "
                    f"not above zero everywhere, but hls4ml's C++ for a ternary activation "
                    f"assumes that; negate gamma, mean and the weights before for those "
                    f"channels: the function stays the same"
                )
            return rises

        def transform(self, model: Any, node: Any) -> bool:
            before = node.get_input_node()
            joined = f"bnbt_{before.name}"
            level = activation.ternary_level(node)
            done = bool(super().transform(model, node))
            for what in (_SCALE, _BIAS):
                values = np.asarray(before.weights[what].data, np.float32)
                mark(model.graph[joined], what, values)
            mark(model.graph[joined], _LEVEL, level)
            return done

    former = optimizer_map[_PASS_NAME]
    optimizer_map[_PASS_NAME] = Keeping()
    try:
        yield
    finally:
        optimizer_map[_PASS_NAME] = former


def settle_thresholds(graph: Any) -> None:
    """Give merged nodes the thresholds at which their activations change.

    Args:
        graph: hls4ml's ModelGraph, converted within `normalizations_kept`.
    """
    for node in graph.get_layers():
        scale, bias = marked(node, _SCALE), marked(node, _BIAS)
        to = read_type(node) if scale is not None else None
        if to is None:
            continue
        level = np.float32(marked(node, _LEVEL))
        unit = 2.0**-to.frac
        if "threshold" in node.weights:
            found = {"threshold": least_reaching(scale, bias, np.float32(0), unit)}
        else:
            # The result is 1 above the first, and -1 at or below the second.
            found = {
                "threshold_hi": least_reaching(scale, bias, level, unit) - 1,
                "threshold_lo": -least_reaching(scale, -bias, level, unit),
            }
        for what, raw in found.items():
            node.weights[what].data = np.clip(raw, to.min, to.max) * unit


def least_reaching(
    scale: NDArray[np.float32], bias: NDArray[np.float32], level: np.float32, unit: float
) -> NDArray[np.float64]:
    """The least multiples x of a unit with scale * x + bias >= level, in float32 as in Keras.

    Args:
        scale: Greater than zero.
        bias: Of the same shape.
        level: The level to reach.
        unit: The unit of x.

    Returns:
        The multiples as integers, of the same shape.
    """
    exact = (np.float64(level) - bias) / np.asarray(scale, np.float64)
    nearest = np.ceil(exact / unit)
    found = nearest + 1
    for raw in (nearest, nearest - 1):
        reaches = (raw * unit).astype(np.float32) * scale + bias >= level
        found = np.where(reaches, raw, found)
    return found
