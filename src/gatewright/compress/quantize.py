"""Rewrites a Keras model into a QKeras model with given bits, for quantization-aware training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.compress.batchnorm_folding import fold_batchnorms
from gatewright.compress.bits import DEFAULT, LayerBits, bits_of
from gatewright.compress.editable_model import Network, Node, read
from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.quiet import import_keras

RELU_INTEGER = 2

# hls4ml computes softmax with tables, whose types it chooses by itself.
_UNQUANTIZED = ("linear", "softmax")
# Activation layers for which hls4ml has no quantizer.
_CURVED = ("ELU", "LeakyReLU", "PReLU", "ReLU")
# Functions with one or two bits, whatever the layer's bits are.
_NARROW = ("binary", "ternary", "binary_tanh", "ternary_tanh")


def quantize(
    model: Any,
    bits: Mapping[str, LayerBits],
    *,
    relu_integer: int | Mapping[str, int] = RELU_INTEGER,
) -> Any:
    """Rewrite a model into QKeras' layers with the same names and weights.

    Weights and biases have the range [-1, 1): all their bits but the sign are fraction bits. Binary
    and ternary weights are scaled by a power of two for each output (`alpha="auto_po2"`);
    power-of-two weights are at most 1. An activation has its own bits in `bits`, else those of the
    nearest layer with kernels before it; among several, that after which it is named, else that
    with most bits. Relus saturate at 2^relu_integer, tanh and sigmoid become QKeras' hard versions,
    and softmax stays. Existing quantizers keep their range and get the new bits. Layers without
    bits, by name or by default, stay as they are.

    Activations within layers become separate layers `<layer>_<function>`. A batch normalization
    directly after a layer with kernels is folded into it; the layer then gets the integer bits that
    its weights need. Other batch normalizations stay in float, and hls4ml rounds their factors.

    Args:
        model: A tf-keras model, Sequential or Functional, float or quantized.
        bits: Bits by name of a layer or of an activation; `default` is for all others.
        relu_integer: Integer bits of relus, for all or by name as in `bits` (2 by default). A relu
            always has at least one fraction bit, and fewer integer bits if necessary.

    Returns:
        A new tf-keras model, not compiled.

    Raises:
        InputError: if `bits` or `relu_integer` names a layer that doesn't exist.
        UnsupportedError: if a layer can't be quantized.
    """
    network = read(model)
    before = {node.name: node for node in network}
    fold_batchnorms(network)
    check_names(network, bits)
    if isinstance(relu_integer, Mapping):
        check_names(network, relu_integer)
    widths = activation_bits(network, bits)
    for node in network:
        if node.function:
            if node.name in widths:
                integer = _integer_of(network, node, relu_integer)
                quantizer = activation_quantizer(node, widths[node.name], integer)
                network.put(replace(node, quantizers={"activation": quantizer}))
        elif (of_layer := bits_of(bits, node.name)) is not None and node.weights:
            check_kind(node)
            folded = node.weights is not before[node.name].weights
            network.put(replace(node, quantizers=_weight_quantizers(node, of_layer, folded)))
    return network.build()


def check_names(network: Network, names: Mapping[str, Any]) -> None:
    """Raise InputError if a name isn't that of a layer with bits."""
    known = [node.name for node in network if node.kernels or node.function]
    for name in names:
        if name not in (*known, DEFAULT):
            raise InputError(
                f"bits of a layer '{name}', which model '{network.name}' doesn't have; "
                f"layers are {', '.join(known)}"
            )


def check_kind(node: Node) -> None:
    """Raise UnsupportedError if QKeras or hls4ml has no quantized layer of its kind."""
    if not node.kernels and node.kind != "BatchNormalization":
        raise UnsupportedError(
            f"layer '{node.name}': QKeras has no quantized {node.kind} that hls4ml reads; give the "
            "other layers bits by name, and this one stays as it is"
        )


def activation_bits(network: Network, bits: Mapping[str, LayerBits]) -> dict[str, int]:
    """The bits of each activation to be quantized, by name; see `quantize`.

    Raises:
        UnsupportedError: if an activation can't be quantized.
    """
    found: dict[str, int] = {}
    for node in network:
        if node.kind in _CURVED and not node.function:
            if _owner(network, node, bits) is not None:
                raise UnsupportedError(
                    f"layer '{node.name}': hls4ml doesn't read a quantized {node.kind} with a "
                    f"slope, a threshold or a curve like QKeras; use a plain relu"
                )
        elif node.function and (node.function not in _UNQUANTIZED or node.quantizers):
            owner = _owner(network, node, bits)
            if node.function not in _NARROW and owner is not None:
                found[node.name] = owner.activations
    return found


def _owner(network: Network, node: Node, bits: Mapping[str, LayerBits]) -> LayerBits | None:
    """The layer's bits that apply to an activation; None if no bits do."""
    if node.name in bits:
        return bits[node.name]
    near = network.upstream(node.name)
    near = [name for name in near if node.name.startswith(f"{name}_")] or near
    candidates = [found for name in near if (found := bits_of(bits, name)) is not None]
    if not near:
        return bits.get(DEFAULT)
    return max(candidates, key=lambda found: found.activations, default=None)


def _integer_of(network: Network, node: Node, integers: int | Mapping[str, int]) -> int:
    if isinstance(integers, int):
        return integers
    for name in (node.name, *network.upstream(node.name), DEFAULT):
        if name in integers:
            return integers[name]
    return RELU_INTEGER


def activation_quantizer(node: Node, width: int, integer: int, *, real: bool = False) -> Any:
    """QKeras' quantizer of an activation.

    Args:
        node: The activation.
        width: Its width in bits.
        integer: Integer bits of a relu without a range of its own.
        real: Whether tanh and sigmoid without a quantizer stay exact functions.

    Raises:
        UnsupportedError: if there is no such quantizer on which hls4ml and QKeras agree.
    """
    qkeras = import_keras("qkeras")
    old = node.quantizers.get("activation")
    if node.function == "relu":
        slope = getattr(old, "negative_slope", 0) or getattr(old, "use_sigmoid", 0)
        limit = getattr(old, "relu_upper_bound", None) or node.limit
        if slope or (limit is not None and (limit < 1 or not math.log2(limit).is_integer())):
            raise UnsupportedError(
                f"layer '{node.name}': a relu with limit {limit:g}; the limit of a quantized relu "
                "is a power of two, so use 1, 2, 4, 8, or no limit"
                if limit
                else f"layer '{node.name}': a quantized_relu with a slope or a sigmoid"
            )
        if limit is not None:
            integer = int(math.log2(limit))
        elif old is not None:
            integer = int(old.integer)
        # Without fraction bits hls4ml uses an integer type, which neither rounds nor saturates.
        return qkeras.quantized_relu(width, min(integer, width - 1))
    if node.function == "tanh":
        return qkeras.quantized_tanh(width, use_real_tanh=getattr(old, "use_real_tanh", real))
    if node.function == "sigmoid":
        return qkeras.quantized_sigmoid(
            width, use_real_sigmoid=getattr(old, "use_real_sigmoid", real)
        )
    if node.function == "linear" and old is not None:
        return qkeras.quantized_bits(width, min(int(old.integer), width - 2), alpha=1)
    raise UnsupportedError(
        f"layer '{node.name}': hls4ml doesn't read a quantized {node.function}; use relu, tanh or "
        "sigmoid, or give the other layers bits by name, and this one stays as it is"
    )


def _weight_quantizers(node: Node, bits: LayerBits, folded: bool) -> dict[str, Any]:
    """QKeras' quantizers of a layer's kernels and bias; empty for a batch normalization."""
    quantizers = {
        what: kernel_quantizer(bits, _integer(node, what, kernel, folded))
        for what, kernel in node.kernels.items()
    }
    if node.bias is not None:
        quantizers["bias"] = fixed(bits.bias_bits, _integer(node, "bias", node.bias, folded))
    return quantizers


def _integer(node: Node, what: str, values: Any, folded: bool) -> int:
    """Integer bits without sign: the old quantizer's, else what folded weights need, else 0."""
    old = node.quantizers.get(what)
    if old is not None:
        return integer_of(old)
    largest = float(np.abs(values).max(initial=0)) if folded else 0.0
    return max(math.ceil(math.log2(largest)), 0) if largest else 0


def integer_of(quantizer: Any) -> int:
    """The integer bits i of a quantizer of weights, without sign: its range is [-2^i, 2^i)."""
    if (limit := getattr(quantizer, "max_value", None)) is not None:
        return round(math.log2(limit))
    alpha = getattr(quantizer, "alpha", None)
    shift = round(math.log2(alpha)) if isinstance(alpha, int | float) else 0
    return int(getattr(quantizer, "integer", 0)) + shift


def kernel_quantizer(bits: LayerBits, integer: int) -> Any:
    """QKeras' quantizer of weights with magnitudes up to 2^integer.

    The scales of binary and ternary weights are powers of two, which are multiplied into the
    weights: other scales would need a further multiplication.
    """
    qkeras = import_keras("qkeras")
    if bits.weights == "binary":
        return qkeras.binary(alpha="auto_po2")
    if bits.weights == "ternary":
        return qkeras.ternary(alpha="auto_po2")
    if bits.po2 is not None:
        return qkeras.quantized_po2(bits.po2, max_value=2**integer)
    assert isinstance(bits.weights, int)
    return fixed(bits.weights, integer)


def fixed(width: int, integer: int) -> Any:
    """QKeras' quantizer of fixed-point numbers in [-2^integer, 2^integer).

    QKeras has no negative numbers of integer bits; `alpha` replaces them.

    Args:
        width: Width in bits, including the sign.
        integer: Integer bits without the sign; may be negative.
    """
    alpha = 2.0**integer if integer < 0 else 1
    return import_keras("qkeras").quantized_bits(width, max(integer, 0), alpha=alpha)
