"""Layers that multiply by weights, and the thresholds that hls4ml replaces some of them by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright import kernels
from gatewright.hlsgraph import garnet, image, normalization, weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.node import words
from gatewright.hlsgraph.precisions import is_bit, is_sign
from gatewright.kernels import Kernel, curves
from gatewright.lower.registry import lowers, multiplication, place, rows
from gatewright.lower.signs import agreements, narrowest_type_of, of_sign_inputs
from gatewright.lower.windows import windows


@lowers("Dense")
def dense(layer: Layer) -> Kernel:
    """Dense, also as the pointwise convolution that hls4ml makes of it for higher ranks."""
    factors = _factors(layer, layer.inputs[0].shape[-1])
    return kernels.Dense(**place(layer), **factors, **_multiplication(layer))


@lowers("Conv1D", "Conv2D", "Conv2DBatchnorm")
def convolution(layer: Layer) -> Kernel:
    """A convolution over all channels."""
    window, channels = image.window(layer.node), layer.inputs[0].shape[-1]
    factors = _factors(layer, math.prod(window) * channels)
    factors["weights"] = factors["weights"].reshape(*window, channels, -1)
    return kernels.Conv(
        **place(layer), **windows(layer), **factors, **_multiplication(layer), **rows(layer)
    )


@lowers("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(layer: Layer) -> Kernel:
    """A separate convolution of each channel."""
    window, channels = image.window(layer.node), layer.inputs[0].shape[-1]
    factors = _factors(layer, math.prod(window))
    factors["weights"] = factors["weights"].reshape(*window, channels)
    return kernels.DepthwiseConv(
        **place(layer), **windows(layer), **factors, **_multiplication(layer), **rows(layer)
    )


@lowers("PointwiseConv1D", "PointwiseConv2D")
def pointwise(layer: Layer) -> Kernel:
    """A convolution of single pixels: a Dense on each pixel, unless it has strides or padding."""
    moves = image.strides(layer.node) != (1, 1) or any(image.pads(layer.node))
    return convolution(layer) if moves else dense(layer)


@lowers("BatchNormalization", "ApplyAlpha")
def batchnorm(layer: Layer) -> Kernel:
    """A scale and a bias for each element or channel."""
    scale, scale_type = weights.factors(layer.node, "scale")
    bias, bias_type = weights.raw_weights(layer.node, "bias")
    scale, bias = scale.ravel(), bias.ravel()
    if layer.operands[0].is_sign:
        if is_sign(layer.node.weights["scale"].type.precision):
            raise layer.refuse("a one-bit scale of one-bit inputs is not supported")
        # The input is 2 b - 1 instead of b.
        frac = max(scale_type.frac, bias_type.frac)
        bias = (bias << (frac - bias_type.frac)) - (scale << (frac - scale_type.frac))
        bias_type, scale = narrowest_type_of(bias, frac), 2 * scale
        scale_type = narrowest_type_of(scale, scale_type.frac)
    return kernels.BatchNorm(
        **place(layer),
        scale=scale,
        bias=bias,
        scale_type=scale_type,
        bias_type=bias_type,
        **multiplication(layer),
    )


@lowers("LayerNormalization")
def layernorm(layer: Layer) -> Kernel:
    """Each slice along the last axis: less its mean, over its deviation, scaled and moved."""
    given = normalization.layer_normalization(layer.node)
    scale, scale_type = weights.factors(layer.node, "scale")
    bias, bias_type = weights.raw_weights(layer.node, "bias")
    return kernels.LayerNorm(
        **place(layer),
        n_outer=given.slices,
        scale=scale.ravel(),
        bias=bias.ravel(),
        scale_type=scale_type,
        bias_type=bias_type,
        accum=given.accum,
        table=curves.inverse_root(given.table_size, given.reach, given.table),
        table_type=given.table,
        reach=given.reach,
        decimals=given.decimals,
    )


@lowers("GarNet")
def vertices(layer: Layer) -> Kernel:
    """Vertices of a graph that exchange features through aggregators."""
    given = garnet.garnet(layer.node)
    found: dict[str, Any] = {}
    results, features = layer.output.shape[-1], layer.inputs[0].shape[-1]
    for field, name, shape in (
        ("distances", "aggregator_distance_weights", (-1, features)),
        ("distance_biases", "aggregator_distance_biases", (-1,)),
        ("transform", "input_transform_weights", (results, -1, features)),
        ("transform_biases", "input_transform_biases", (results, -1)),
        ("biases", "output_transform_biases", (results,)),
    ):
        raw, found[f"{field}_type"] = weights.raw_weights(layer.node, name)
        found[field] = raw.reshape(shape)
    return kernels.GarNet(
        **place(layer),
        **found,
        edge_type=given.edge,
        edge_sum_type=given.edge_sum,
        accum=given.accum,
        norm_type=given.norm,
        passes=given.passes,
        by_count=given.by_count,
        mean=bool(given.collapse),
    )


@lowers("BatchNormalizationQuantizedTanh")
def thresholds(layer: Layer) -> Kernel:
    """A batch normalization followed by a binary or ternary activation."""
    limits = []
    for name in weights.threshold_names(layer.node):
        raw, to = weights.raw_weights(layer.node, name)
        if to != layer.inputs[0].type:
            raise layer.refuse(f"its {name} has the type {to}, its input {layer.inputs[0].type}")
        limits.append(raw.ravel())
    return kernels.Thresholds(**place(layer), thresholds=np.stack(limits))


def _multiplication(layer: Layer) -> dict[str, Any]:
    """The fields of a kernel for its multiplication, and the number of pixels at once."""
    at_once = weights.pixels_at_once(layer.node, layer.pixels)
    return {**multiplication(layer), "parallel": at_once}


def _factors(layer: Layer, n_in: int) -> dict[str, Any]:
    """The fields of a kernel for weights, of shape (n_in, n_out), biases and their types."""
    node, read = layer.node, layer.operands[0]
    matrix, weight_type = weights.factors(node, "weight")
    if weights.is_transposed(node):
        matrix = np.moveaxis(matrix, 0, -1)
    matrix = matrix.reshape(n_in, layer.output.shape[-1])
    bias, bias_type = weights.raw_weights(node, "bias")
    bias, accum = bias.ravel(), words(node, "accum")
    weight = node.weights["weight"].type.precision
    if layer.has_sign_operands:
        accum, bias = agreements(layer, n_in, bias, bias_type, accum)
        matrix, bias = of_sign_inputs(matrix, 0, bias, 0, accum)
        weight_type, bias_type = narrowest_type_of(matrix, 0), narrowest_type_of(bias, 0)
    elif is_bit(read.precision) and (is_bit(weight) or is_sign(weight)):
        raise layer.refuse("one-bit integers on both sides, one a sign and the other not")
    elif read.is_sign:
        matrix, bias = of_sign_inputs(matrix, weight_type.frac, bias, bias_type.frac, accum)
        weight_type, bias_type = (
            narrowest_type_of(matrix, accum.frac),
            narrowest_type_of(bias, accum.frac),
        )
    return {
        "weights": matrix,
        "bias": bias,
        "weight_type": weight_type,
        "bias_type": bias_type,
        "accum": accum,
    }
