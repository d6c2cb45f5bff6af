"""Weights, and layers with weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.fixed import FixedType, from_float
from gatewright.hlsgraph.node import integer, layer_name, place, word
from gatewright.hlsgraph.precisions import fixed_type, is_sign, is_ternary, word_type

_SIGNS = FixedType(2, 2)


def printed_values(variable: Any) -> NDArray[np.float64]:
    """The values of a weight variable as hls4ml prints them into its C++ project.

    It prints as many decimals as the type has fractional bits. Multiples of the type's unit are
    exact; other values are rounded before the C++ casts them.

    Returns:
        A float64 array in the shape of the variable.
    """
    data = np.asarray(variable.data, np.float64)
    text = [variable.precision_fmt.format(each) for each in data.flat]
    return np.array(text, np.float64).reshape(data.shape)


def raw_weights(node: Any, name: str) -> tuple[NDArray[np.int64], FixedType]:
    """The raw values of weights (int64, in the shape of the variable) and their type.

    Raises:
        InputError: if one is not a number.
    """
    variable = node.weights[name]
    printed = printed_values(variable)
    if not np.isfinite(printed).all():
        raise InputError(f"layer '{layer_name(node)}': {name} holds a value that is not a number")
    to = word_type(variable.type.precision, place(node))
    return from_float(printed, to), to


def factors(node: Any, name: str) -> tuple[NDArray[np.int64], FixedType]:
    """Raw values of weights as factors, and their type; sign bits become +1 and -1."""
    raw, to = raw_weights(node, name)
    precision = node.weights[name].type.precision
    if is_sign(precision):
        return 2 * raw - 1, _SIGNS
    if is_ternary(precision):
        # weight_ternary of nnet_mult.h tests for 0 and -1, and treats anything else as 1.
        return np.where(raw == -2, 1, raw), to
    return raw, to


def is_transposed(node: Any) -> bool:
    """Whether the axis of results comes first, as in hls4ml's strategy Resource."""
    return bool(node.get_attr("_weights_transposed", False))


def values(node: Any, name: str) -> NDArray[np.float64]:
    """Weights as float64, in hls4ml's shape."""
    return np.asarray(node.weights[name].data, np.float64)


def type_of(node: Any, name: str) -> FixedType | None:
    """The type of weights; None if they are sign bits or not fixed point."""
    return fixed_type(node.weights[name].type.precision)


def terms(node: Any) -> int:
    """Number of products in each sum."""
    return int(node.weights["weight"].data.size // node.weights["bias"].data.size)


def channels_taken(node: Any) -> int:
    """Number of input channels of the weights of a Dense or a convolution."""
    return integer(node, "n_in" if node.class_name == "Dense" else "n_chan")


def matrix(node: Any, name: str = "weight") -> NDArray[np.float64] | None:
    """Weights of a Dense or a convolution, float64 of shape (*window, channels, results).

    None if they are sign bits or not fixed point.
    """
    if type_of(node, name) is None:
        return None
    found = values(node, name)
    return np.moveaxis(found, 0, -1) if is_transposed(node) else found


def strategy(node: Any) -> str:
    """hls4ml's strategy of a node, in lower case."""
    return word(node, "strategy", "latency")


def reuse_factor(node: Any) -> int:
    """hls4ml's reuse factor."""
    return integer(node, "reuse_factor", 1)


def pixels_at_once(node: Any, pixels: int) -> int:
    """Number of pixels that the C++ computes at once (hls4ml's ParallelizationFactor)."""
    return pixels // integer(node, "n_partitions", pixels)


def threshold_names(node: Any) -> tuple[str, ...]:
    """Names of the thresholds of a binary or ternary activation."""
    is_binary = integer(node, "quantize") == 2
    return ("threshold",) if is_binary else ("threshold_hi", "threshold_lo")


def is_scaled_by_channel(node: Any) -> bool:
    """Whether a batch normalization has one scale per channel, not per element."""
    return integer(node, "n_filt", -1) != -1


def scale_count(node: Any, size: int) -> int:
    """Number of scales that the C++ reads for a batch normalization of `size` elements."""
    return integer(node, "n_filt") if is_scaled_by_channel(node) else size
