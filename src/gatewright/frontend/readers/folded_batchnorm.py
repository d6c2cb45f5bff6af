"""Batch normalization folding of QKeras' layers with an integrated batch normalization.

At inference QKeras folds the statistics into weights and bias, and quantizes the result. So the
plain layer with the folded weights computes the same.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from gatewright.frontend.kinds import KINDS
from gatewright.frontend.network import Layer

#: For each class, the class without normalization and the array that is scaled. QConv2DBatchnorm
#: is missing because hls4ml has it.
_FOLDED: Final = {
    "QDenseBatchnorm": ("QDense", "kernel"),
    "QDepthwiseConv2DBatchnorm": ("QDepthwiseConv2D", "depthwise_kernel"),
}


def folded(layer: Layer) -> Layer:
    """The layer without its integrated batch normalization, which is folded into its weights."""
    if layer.kind not in _FOLDED:
        return layer
    kind, kernel = _FOLDED[layer.kind]
    weights: dict[str, Any] = {
        key: np.asarray(each, np.float32) for key, each in layer.weights.items()
    }
    epsilon: Any = layer.arguments["epsilon"]
    inverse = np.float32(1) / np.sqrt(weights["moving_variance"] + np.float32(epsilon))
    inverse = inverse * weights.get("gamma", np.float32(1))
    bias = inverse * (weights.get("bias", np.float32(0)) - weights["moving_mean"])
    bias = bias + weights.get("beta", np.float32(0))
    # The last axes of a depthwise kernel are channels and their multiples; statistics are flat.
    scale = inverse.reshape(weights[kernel].shape[2:]) if weights[kernel].ndim > 2 else inverse
    arguments = {key: layer.arguments[key] for key in KINDS[kind].arguments}
    return replace(
        layer,
        kind=kind,
        arguments=MappingProxyType({**arguments, "use_bias": True}),
        weights=MappingProxyType({kernel: scale * weights[kernel], "bias": bias}),
    )
