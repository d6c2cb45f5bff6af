"""Corrects layers after hls4ml's Keras 2 parser where its later steps would misread them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.frontend.network import Framework

Layer = dict[str, Any]

_STATISTICS = ("gamma", "beta", "mean", "variance")


def mend(layers: list[Layer], shapes: dict[str, list[int | None]], framework: Framework) -> None:
    """Rewrite parsed layers that hls4ml's later steps would misread.

    Args:
        layers: The layers as parsed; changed in place.
        shapes: Shape of each layer's output, including the batch.
        framework: The version of Keras that defines the constants of activations.
    """
    has_quantizers = any(layer["class_name"] == "FixedPointQuantizer" for layer in layers)
    for layer in layers:
        kind = layer["class_name"].removeprefix("Q")
        shape = shapes[layer["name"]]
        if kind == "InputLayer" and has_quantizers:
            layer["trusted"] = True  # its type stays what was asked for
        if kind == "Conv2DBatchnorm":
            _fold(layer)
        elif layer["class_name"] == "QBatchNormalization":
            _quantize_statistics(layer)
        elif layer["class_name"].removeprefix("Q") in ("DepthwiseConv1D", "DepthwiseConv2D"):
            _let_fold(layer)
        elif kind == "Dense" and len(shape) > 2:
            _to_convolution(layer, shape)
        elif kind == "HardActivation" and framework == "keras3":
            layer["slope"] = 1 / 6  # hls4ml has Keras 2's slope of 0.2
        elif kind == "Softmax" and len(shape) > 2 and layer.get("axis", -1) == -1:
            # hls4ml's Keras 2 parser applies it to the whole tensor.
            layer["n_outer"] = math.prod(int(extent or 1) for extent in shape[1:-1])


def _fold(layer: Layer) -> None:
    """Make a QConv2DBatchnorm the QConv2D that it is at inference.

    Folds the batch normalization into weight and bias; both are quantized later. hls4ml's own
    folding quantizes the bias from its value before folding. The formulas are QKeras'.
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
    """Give depthwise weights a shape that allows batch normalization folding.

    hls4ml multiplies by one factor for each element of the last axis, so that axis becomes the
    filters. Apart from that, hls4ml depends on the order of the weights only, and it stays the
    same. Quantized weights are not folded.
    """
    quantizer = layer.get("depthwise_quantizer")
    if quantizer is not None:
        layer["weight_quantizer"] = quantizer  # where hls4ml looks for one
        return
    weights = layer["depthwise_data"]
    layer["depthwise_data"] = weights.reshape(*weights.shape[:-2], 1, -1)


def _quantize_statistics(layer: Layer) -> None:
    """Quantize the statistics of a QBatchNormalization: hls4ml ignores their quantizers."""
    used = {"gamma": layer["use_gamma"], "beta": layer["use_beta"]}
    for what in _STATISTICS:
        quantizer = layer.pop(f"{what}_quantizer", None)
        if quantizer is not None and used.get(what, True):
            layer[f"{what}_data"] = quantizer(layer[f"{what}_data"])
    layer["class_name"] = "BatchNormalization"


def _to_convolution(layer: Layer, shape: list[int | None]) -> None:
    """Make a Dense on the last axis of a tensor a pointwise convolution, as hls4ml would.

    hls4ml's own conversion loses the quantizers, and truncates floats to their types.
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
        layer["weight_quantizer"] = quantizer.with_leading_axes(len(ones))
    prefix = "Q" if layer["class_name"].startswith("Q") else ""
    layer["class_name"] = f"{prefix}Conv{len(inner)}D"
