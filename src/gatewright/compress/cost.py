"""Compute cost of a Keras or QKeras model, counted on the model and not on hardware.

Quantized operands count the bits of the types that hls4ml infers, which are their bits in hardware.
Operands that aren't quantized, or are computed from such, count as float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.layer_graph import KERNELS, kernel_quantizer, quantized_kernel, walk
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, effective_bits
from gatewright.frontend.precision import exact_type, holds

#: Bits of an operand that isn't quantized.
FLOAT_BITS = 32

# Layers that move or select values.
_MOVES = (
    *("Flatten", "Reshape", "Permute", "Dropout", "InputLayer", "UpSampling1D", "UpSampling2D"),
    *(f"{kind}{dim}D" for kind in ("ZeroPadding", "Cropping", "MaxPooling") for dim in (1, 2)),
    *(f"GlobalMaxPooling{dim}D" for dim in (1, 2)),
)
_AVERAGES = ("AveragePooling1D", "AveragePooling2D")
_GLOBAL_AVERAGES = ("GlobalAveragePooling1D", "GlobalAveragePooling2D")
_SUMS = ("Add", "Subtract", "Average")
_CHOICES = ("Concatenate", "Maximum", "Minimum")
_FUNCTIONS = ("Activation", "ReLU", "Softmax", "LeakyReLU", "ELU", "PReLU", "ThresholdedReLU")
_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
# The type of the zeros that hls4ml adds if a layer has no biases.
_NO_BIAS = FixedType(1, 1, signed=False)


@dataclass(frozen=True)
class Cost:
    """Compute cost of one inference.

    Attributes:
        macs: Multiply-accumulate operations.
        bops: Bit operations: the sum over all multiplications by nonzero weights of the product of
            the operands' widths.
        ebops: Effective bit operations (HGQ, Sun et al., 2024): as `bops`, but the width of a
            weight counts from its first to its last one bit, without the sign.
        weights: Weights without biases.
        nonzero: Weights that aren't zero.
        parameters: Weights and biases.
        weight_bits: Storage of the parameters in bits.
    """

    macs: int = 0
    bops: int = 0
    ebops: int = 0
    weights: int = 0
    nonzero: int = 0
    parameters: int = 0
    weight_bits: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))


@dataclass(frozen=True)
class Placed:
    """A layer and its place in a model.

    Attributes:
        layer: The Keras or QKeras layer with its weights.
        name: The layer's name.
        kind: Keras' name of its class.
        inputs: Names of the layers that it reads; none if it reads an input of the model.
        read_shape: The shape of its first input, without the batch.
        shape: The shape of its result, without the batch.
    """

    layer: Any
    name: str
    kind: str
    inputs: tuple[str, ...]
    read_shape: tuple[Any, ...]
    shape: tuple[Any, ...]


def compute_cost(model: Any, input_type: FixedType | None) -> Cost:
    """Count the cost of a model.

    Args:
        model: A tf-keras model, Sequential or Functional, with or without QKeras layers.
        input_type: The type of its inputs; None counts them as float.

    Raises:
        InputError: if the model is neither Sequential nor Functional.
        UnsupportedError: if the cost of a layer isn't known.
    """
    layers = (
        Placed(
            node.layer,
            node.name,
            node.kind,
            node.inputs,
            _shape(node.layer.input_shape),
            _shape(node.layer.output_shape),
        )
        for node in walk(model)
    )
    return count_cost(layers, input_type)


def _shape(shape: Any) -> tuple[int, ...]:
    """A shape of Keras, or the first of several, without the batch."""
    return tuple((shape[0] if isinstance(shape, list) else shape)[1:])


def count_cost(layers: Iterable[Placed], input_type: FixedType | None) -> Cost:
    """Count the cost of layers.

    Args:
        layers: The layers of a model in topological order.
        input_type: As for `compute_cost`.

    Raises:
        UnsupportedError: if the cost of a layer isn't known.
    """
    types: dict[str, FixedType | None] = {}
    total = Cost()
    for placed in layers:
        reads = [types[name] for name in placed.inputs] or [input_type]
        cost, types[placed.name] = _layer(placed, reads)
        total += cost
    return total


def _layer(placed: Placed, reads: Sequence[FixedType | None]) -> tuple[Cost, FixedType | None]:
    """The cost of a layer, and the type of its result."""
    layer, kind, x = placed.layer, placed.kind, reads[0]
    if kind in KERNELS:
        return _product(placed, x)
    if kind in _SEPARABLE:
        return _separable(placed, x)
    if kind in _MOVES:
        return Cost(), x
    if kind in _FUNCTIONS:
        quantizer = getattr(layer, "quantizer", None) or getattr(layer, "activation", None)
        return Cost(), _activation_type(quantizer, x)
    if kind in _AVERAGES or kind in _GLOBAL_AVERAGES:
        shape = placed.read_shape[:-1] if kind in _GLOBAL_AVERAGES else layer.pool_size
        grow = (math.prod(np.atleast_1d(shape).tolist()) - 1).bit_length()
        return Cost(), replace(x, width=x.width + grow) if x is not None else None
    if kind in _SUMS or kind in _CHOICES:
        return Cost(), _merged(kind, reads)
    if kind in ("Multiply", "Dot"):
        return _merged_product(placed, reads)
    if kind == "BatchNormalization":
        return _normalization(placed, x), None
    if kind == "Embedding":
        size = layer.input_dim * layer.output_dim
        return Cost(parameters=size, weight_bits=size * FLOAT_BITS), None
    raise UnsupportedError(
        f"layer '{placed.name}' ({type(layer).__name__}): its compute cost is not known"
    )


def _product(placed: Placed, x: FixedType | None) -> tuple[Cost, FixedType | None]:
    """The cost of a layer that multiplies by a kernel, and the type of its result."""
    layer, shape = placed.layer, placed.shape
    kernel, quantizer = quantized_kernel(layer), kernel_quantizer(layer)
    cost, total = _multiplied(x, kernel, quantizer, shape, *_bias(layer))
    return cost, _activation_type(layer.activation, total)


def _separable(placed: Placed, x: FixedType | None) -> tuple[Cost, FixedType | None]:
    """The cost of a depthwise and a pointwise convolution, and the type of the result."""
    layer, shape = placed.layer, placed.shape
    halves = [
        (getattr(layer, f"{half}_kernel"), getattr(layer, f"{half}_quantizer_internal", None))
        for half in ("depthwise", "pointwise")
    ]
    (first, of_first), (second, of_second) = (
        (np.asarray(kernel if quantizer is None else quantizer(kernel)), quantizer)
        for kernel, quantizer in halves
    )
    between = (*shape[:-1], math.prod(first.shape[-2:]))
    before, x = _multiplied(x, first, of_first, between, np.zeros(0), _NO_BIAS)
    after, total = _multiplied(x, second, of_second, shape, *_bias(layer))
    return before + after, _activation_type(layer.activation, total)


def _bias(layer: Any) -> tuple[NDArray[Any], FixedType | None]:
    """The biases of a layer, and their type."""
    if not layer.use_bias:
        return np.zeros(0), _NO_BIAS
    if not getattr(layer, "bias_quantizer", None):
        return layer.bias.numpy(), None
    values = np.asarray(layer.bias_quantizer_internal(layer.bias), np.float64)
    return values, _weight_type(layer.bias_quantizer_internal, values)


def _multiplied(
    x: FixedType | None,
    kernel: NDArray[Any],
    quantizer: Any,
    shape: tuple[int, ...],
    bias: NDArray[Any],
    of_biases: FixedType | None,
) -> tuple[Cost, FixedType | None]:
    """The cost of multiplying by a kernel, and the type of the sums.

    Args:
        x: The type of the input.
        kernel: The quantized kernel.
        quantizer: Its quantizer, or None.
        shape: The shape of the sums, without the batch.
        bias: The quantized biases.
        of_biases: Their type.
    """
    kernel = kernel.astype(np.float64)
    of_weights = _weight_type(quantizer, kernel) if quantizer is not None else None
    repeats = math.prod(shape[:-1])
    nonzero = int(np.count_nonzero(kernel))
    cost = Cost(
        macs=repeats * kernel.size,
        bops=repeats * nonzero * _width(x) * _width(of_weights),
        ebops=repeats * _effective(kernel, of_weights) * _width(x),
        weights=kernel.size,
        nonzero=nonzero,
        parameters=kernel.size + bias.size,
        weight_bits=kernel.size * _width(of_weights) + bias.size * _width(of_biases),
    )
    if x is None or of_weights is None or of_biases is None:
        return cost, None
    return cost, _sum_type(x, of_weights, of_biases, kernel.size // shape[-1])


def _width(of: FixedType | None) -> int:
    return FLOAT_BITS if of is None else of.width


def _effective(values: NDArray[np.float64], of: FixedType | None) -> int:
    """The sum of the effective bits of all weights."""
    if of is None:
        return FLOAT_BITS * int(np.count_nonzero(values))
    return int(effective_bits(np.rint(np.ldexp(values, of.frac)).astype(np.int64)).sum())


def _quantized_bits(quantizer: Any) -> FixedType | None:
    """The type of QKeras' `quantized_bits`; None if it is another quantizer."""
    if type(quantizer).__name__ != "quantized_bits":
        return None
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    # hls4ml treats it as signed, whatever `keep_negative` is.
    return FixedType(bits, bits if bits == integer else integer + 1)


def _weight_type(quantizer: Any, values: NDArray[np.float64]) -> FixedType | None:
    """The type of weights: their quantizer's if it holds them, else the narrowest exact one."""
    nominal = _quantized_bits(quantizer)
    exact = exact_type(values)
    if nominal is not None and (
        exact is None or (holds(values, nominal) and exact.frac <= nominal.frac)
    ):
        return nominal
    return exact


def _activation_type(function: Any, x: FixedType | None) -> FixedType | None:
    """The type of an activation's result; None if it isn't quantized."""
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    if function is None or name == "linear":
        return x
    kind = type(function).__name__
    if kind == "quantized_relu":
        signed = bool(function.negative_slope)
        return FixedType(int(function.bits), int(function.integer) + signed, signed)
    if kind in ("quantized_tanh", "quantized_sigmoid"):
        return FixedType(
            int(function.bits), int(kind == "quantized_tanh"), kind == "quantized_tanh"
        )
    return _quantized_bits(function)


def _sum_type(x: FixedType, weights: FixedType, biases: FixedType, terms: int) -> FixedType:
    """The type that hls4ml infers for a sum of products and a bias."""
    grow = math.ceil(math.log2(terms))
    integer = x.integer + weights.integer + grow
    signed = x.signed or weights.signed
    integer = max(
        integer + (biases.signed and not signed), biases.integer + (signed and not biases.signed)
    )
    frac, signed = max(x.frac + weights.frac, biases.frac), signed or biases.signed
    return FixedType(integer + 1 + frac, integer + 1, signed)


def _merged(kind: str, reads: Sequence[FixedType | None]) -> FixedType | None:
    """The type that hls4ml infers for a sum of tensors, or a selection among them."""
    known = [of for of in reads if of is not None]
    if len(known) < len(reads):
        return None
    result = known[0]
    for other in known[1:]:
        signed = result.signed or other.signed
        integer = max(of.integer + (signed and not of.signed) for of in (result, other))
        frac = max(result.frac, other.frac)
        if kind == "Average":
            frac += 1
        elif kind in _SUMS:
            integer, signed = integer + 1, signed or kind == "Subtract"
        result = FixedType(integer + frac, integer, signed)
    return result


def _merged_product(
    placed: Placed, reads: Sequence[FixedType | None]
) -> tuple[Cost, FixedType | None]:
    """The cost and the type of products of two tensors, elementwise or summed."""
    a, b = reads[:2]
    if len(reads) > 2:
        raise UnsupportedError(
            f"layer '{placed.name}': the cost of {len(reads)} factors is not known"
        )
    size = math.prod(placed.read_shape)
    bits = size * _width(a) * _width(b)
    cost = Cost(macs=size, bops=bits, ebops=bits)
    if a is None or b is None:
        return cost, None
    grow = math.ceil(math.log2(size)) if placed.kind == "Dot" else 0
    integer = a.integer + b.integer + grow
    return cost, FixedType(integer + a.frac + b.frac, integer, a.signed or b.signed)


def _normalization(placed: Placed, x: FixedType | None) -> Cost:
    """The cost of a batch normalization: a factor and a bias for each channel, in float."""
    layer = placed.layer
    size, channels = math.prod(placed.read_shape), layer.moving_variance.shape[0]
    scale = 1 / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
    if layer.scale:
        scale = scale * layer.gamma.numpy()
    nonzero = int(np.count_nonzero(scale))
    bits = size // channels * nonzero * FLOAT_BITS * _width(x)
    return Cost(
        macs=size,
        bops=bits,
        ebops=bits,
        weights=channels,
        nonzero=nonzero,
        parameters=2 * channels,
        weight_bits=2 * channels * FLOAT_BITS,
    )
