"""Mends layers as hls4ml's Keras 2 parser reads them, where hls4ml would lose a part of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.frontend.network import Framework

Layer = dict[str, Any]

_STATISTICS = ("gamma", "beta", "mean", "variance")


def mend(layers: list[Layer], shapes: dict[str, list[int | None]], framework: Framework) -> None:
    """Say what hls4ml would misread in layers that it reads rightly.

    Args:
        layers: The layers, as parsed; changed in place.
        shapes: Shape of the output of each layer, batch included.
        framework: Whose constants the layers have.
    """
    for layer in layers:
        kind = layer["class_name"].removeprefix("Q")
        shape = shapes[layer["name"]]
        if kind == "Conv2DBatchnorm":
            _fold(layer)
        elif layer["class_name"] == "QBatchNormalization":
            _quantize_statistics(layer)
        elif layer["class_name"].removeprefix("Q") in ("DepthwiseConv1D", "DepthwiseConv2D"):
            _let_fold(layer)
        elif kind == "Dense" and len(shape) > 2:
            _to_convolution(layer, shape)
        elif kind == "HardActivation" and framework == "keras3":
            layer["slope"] = 1 / 6  # Keras 2's, which is hls4ml's, is 0.2
        elif kind == "Softmax" and len(shape) > 2 and layer.get("axis", -1) == -1:
            # hls4ml's Keras 2 parser has it run over the whole tensor.
            layer["n_outer"] = math.prod(int(extent or 1) for extent in shape[1:-1])


def _fold(layer: Layer) -> None:
    """The convolution that a QConv2DBatchnorm is at inference, with the weights to be quantized.

    hls4ml folds them too, but quantizes the bias by what it was before.
    """
    mean, variance = (np.asarray(layer[f"{what}_data"], np.float32) for what in _STATISTICS[2:])
    gamma, beta = (np.asarray(layer[f"{what}_data"], np.float32) for what in _STATISTICS[:2])
    inverse = gamma / np.sqrt(variance + np.float32(layer["epsilon"]))
    bias = layer["bias_data"]
    layer["weight_data"] = inverse * layer["weight_data"]
    layer["bias_data"] = inverse * ((0 if bias is None else bias) - mean) + beta
    layer["class_name"], layer["use_bias"] = "QConv2D", True
    for what in _STATISTICS:
        del layer[f"{what}_data"]


def _let_fold(layer: Layer) -> None:
    """Give depthwise weights the shape that a batch normalization behind them is folded into.

    hls4ml multiplies by a factor per element of the last axis, which here is one filter's; the
    order of the weights, which is all else that it looks at, stays. Quantized ones are not folded.
    """
    quantizer = layer.get("depthwise_quantizer")
    if quantizer is not None:
        layer["weight_quantizer"] = quantizer  # where hls4ml looks for one
        return
    weights = layer["depthwise_data"]
    layer["depthwise_data"] = weights.reshape(*weights.shape[:-2], 1, -1)


def _quantize_statistics(layer: Layer) -> None:
    """hls4ml reads the quantizers of a QBatchNormalization and then takes the floats."""
    used = {"gamma": layer["use_gamma"], "beta": layer["use_beta"]}
    for what in _STATISTICS:
        quantizer = layer.pop(f"{what}_quantizer", None)
        if quantizer is not None and used.get(what, True):
            layer[f"{what}_data"] = quantizer(layer[f"{what}_data"])
    layer["class_name"] = "BatchNormalization"


def _to_convolution(layer: Layer, shape: list[int | None]) -> None:
    """A Dense on the last axis as the pointwise convolution that hls4ml makes of it.

    hls4ml loses the quantizers on the way, and truncates floats to their types.
    """
    inner = shape[1:-1]
    sides = ("height", "width")[-len(inner) :]
    for side, extent in zip(sides, inner, strict=True):
        layer |= {f"in_{side}": extent, f"out_{side}": extent}
        layer |= {f"filt_{side}": 1, f"stride_{side}": 1}
    for side in ("left", "right", "top", "bottom")[: 2 * len(inner)]:
        layer[f"pad_{side}"] = 0
    layer |= {"n_chan": layer.pop("n_in"), "n_filt": layer.pop("n_out")}
    layer["data_format"] = "channels_last"
    ones = (1,) * len(inner)
    layer["weight_data"] = layer["weight_data"].reshape(*ones, *layer["weight_data"].shape)
    quantizer = layer.get("weight_quantizer")
    if quantizer is not None:
        layer["weight_quantizer"] = quantizer.behind(len(ones))
    prefix = "Q" if layer["class_name"].startswith("Q") else ""
    layer["class_name"] = f"{prefix}Conv{len(inner)}D"
