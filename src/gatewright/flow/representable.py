"""Decides whether fixed-point hardware can compute exactly what a quantized model computes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Layer, Network, Object, Value
from gatewright.kernels.weighted import Weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.fixed import FixedType
    from gatewright.flow.counterparts import Stage

#: Layers whose results are unchanged elements of their inputs, or zeros.
_MOVES: Final = (
    *("Concatenate", "Cropping1D", "Cropping2D", "Flatten", "GlobalMaxPooling1D"),
    *("GlobalMaxPooling2D", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum", "Permute"),
    *("RepeatVector", "Reshape", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"),
)
_SUMS: Final = ("Add", "Subtract")
_WEIGHTED: Final = (
    *("QConv1D", "QConv2D", "QConv2DBatchnorm", "QDense", "QDepthwiseConv2D"),
    *("QSeparableConv1D", "QSeparableConv2D"),
)
#: Quantizers whose results are values of a fixed-point type, or signs.
_QUANTIZERS: Final = ("binary", "quantized_bits", "quantized_relu", "ternary")
#: Bits of a float32 sum; Keras itself rounds sums with more.
FLOAT_BITS: Final = 24


def inexact(network: Network, stages: list[Stage]) -> str | None:
    """The first reason why hardware can't be expected to equal the model bit for bit.

    There is none if each layer moves values, quantizes, or sums products of quantized constants
    with types that hold the sum, and no sum has more than 24 bits, beyond which QKeras' float32
    rounds.

    Args:
        network: The network as it was read.
        stages: Its stages in the design.

    Returns:
        The reason, with the layer; or None.
    """
    of_layer: dict[str, list[Stage]] = {}
    for stage in stages:
        for layer in (*stage.chain, stage.layer):
            of_layer.setdefault(layer.name, []).append(stage)
    for layer in network.layers:
        if layer.kind == "InputLayer" or layer.kind in IDENTITY:
            continue
        reason = _of_layer(layer, of_layer.get(layer.name, []))
        if reason is not None:
            return f"layer '{layer.label or layer.name}' {reason}"
    return None


def _of_layer(layer: Layer, stages: list[Stage]) -> str | None:
    activation = layer.arguments.get("activation")
    if layer.kind not in (*_MOVES, *_SUMS, *_WEIGHTED, "Activation", "QActivation", "ReLU"):
        return f"is a {layer.kind}, which is not quantized"
    if layer.kind == "ReLU" and any(layer.arguments.values()):
        return "is a ReLU with a slope or a limit, which is not quantized"
    if "activation" in layer.arguments:
        reason = _of_activation(activation)
        if reason is not None:
            return reason
    if layer.kind in _WEIGHTED:
        reason = _of_quantizers(layer)
        if reason is not None:
            return reason
    if not stages:
        return "has no counterpart in hardware to compare with"
    for stage in stages:
        # A result need not hold the bits that an activation then removes.
        quantizes = layer.kind == "QActivation" or stage.part == "activation"
        for kernel in stage.kernels:
            reason = None
            if isinstance(kernel, Weighted):
                reason = _of_sum(kernel)
            elif not (quantizes or isinstance(activation, Object)):
                reason = _of_passing(layer, kernel)
            if reason is not None:
                return reason
    return None


def _of_activation(activation: Value) -> str | None:
    if activation in ("linear", "relu", None):
        return None
    if not isinstance(activation, Object):
        return f"has the activation {activation}, which hardware looks up in a table"
    a = activation.arguments
    if activation.kind not in _QUANTIZERS:
        return f"has the activation {activation.kind}, which is not exact in fixed point"
    if a.get("use_sigmoid") or a.get("negative_slope"):
        return f"has a {activation.kind} with a slope or a sigmoid"
    return _of_scale(activation)


def _of_quantizers(layer: Layer) -> str | None:
    for key, value in layer.arguments.items():
        if not key.endswith("_quantizer"):
            continue
        what = key.removesuffix("_quantizer")
        unused = what == "bias" and not (
            layer.arguments.get("use_bias", True) or layer.kind.endswith("Batchnorm")
        )
        if unused:
            continue
        if not isinstance(value, Object):
            return f"has no quantizer of its {what}"
        reason = _of_scale(value)
        if reason is not None:
            return reason
    return None


def _of_scale(quantizer: Object) -> str | None:
    alpha = quantizer.arguments.get("alpha")
    whole = isinstance(alpha, int | float) and math.frexp(alpha)[0] == 0.5
    if alpha is None or alpha == "auto_po2" or whole:
        return None
    return f"scales by numbers that are not powers of two (alpha={alpha!r} of a {quantizer.kind})"


def _of_sum(kernel: Any) -> str | None:
    """Why the types of a kernel don't hold its sums of products; None if they do."""
    x = kernel.inputs[0].type
    frac = x.frac + _fraction(kernel.weights, kernel.weight_type.frac)
    bias_frac = _fraction(kernel.bias, kernel.bias_type.frac)
    needed = max(frac, bias_frac)
    axes = tuple(range(kernel.weights.ndim - 1))
    sums = np.abs(kernel.weights.astype(np.float64)).sum(axis=axes).max(initial=0)
    bound = float(sums) * 2.0**-kernel.weight_type.frac * max(-x.min, x.max) * 2.0**-x.frac
    bound += float(np.abs(kernel.bias).max(initial=0)) * 2.0**-kernel.bias_type.frac
    for role, of in (("accumulator", kernel.accum), ("result", kernel.output.type)):
        if of.frac < needed:
            return f"rounds its sums: the {role} is {of}, and they have {needed} fractional bits"
        if bound > _end(of):
            return f"may leave its type: the {role} is {of}, and sums reach {bound:.6g}"
    if bound * 2.0**needed > 2.0**FLOAT_BITS:
        return "has sums of more than 24 bits, which QKeras itself rounds in float32"
    return None


def _of_passing(layer: Layer, kernel: Any) -> str | None:
    of: FixedType = kernel.output.type
    types = [tensor.type for tensor in kernel.inputs]
    reach = [max(-each.min, each.max) * 2.0**-each.frac for each in types]
    bound = sum(reach) if layer.kind in _SUMS else max(reach)
    if of.frac < max(each.frac for each in types):
        return f"rounds its results to {of}"
    negative = any(each.signed for each in types) and layer.kind not in ("ReLU", "Activation")
    if layer.kind == "Activation" and layer.arguments["activation"] == "linear":
        negative = any(each.signed for each in types)
    if bound > _end(of) * (1 + 2.0**-50) + 2.0**-of.frac or (negative and not of.signed):
        return f"may leave its type: {of}, and its inputs reach {bound:.6g}"
    return None


def _end(of: FixedType) -> float:
    return max(-of.lowest, of.max) * 2.0**-of.frac


def _fraction(raw: NDArray[np.int64], frac: int) -> int:
    """The number of fraction bits of values, without trailing zeros; 0 if all values are 0."""
    used = int(np.bitwise_or.reduce(np.abs(raw), axis=None)) if raw.size else 0
    return frac - ((used & -used).bit_length() - 1) if used else 0
