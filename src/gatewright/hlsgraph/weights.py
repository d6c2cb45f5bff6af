"""Weights, and the layers that multiply by them."""

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
    """The values of a weight variable as hls4ml writes them for C++ to read.

    It prints as many decimals as the type has fraction bits. On multiples of the type's unit that
    is exact; other values are rounded by it before the C++ casts them.
    """
    data = np.asarray(variable.data, np.float64)
    text = [variable.precision_fmt.format(each) for each in data.flat]
    return np.array(text, np.float64).reshape(data.shape)


def raw_weights(node: Any, name: str) -> tuple[NDArray[np.int64], FixedType]:
    """The raw values of weights and their type.

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
    """Weights that are multiplied, as numbers: bits that are signs become +1 and -1."""
    raw, to = raw_weights(node, name)
    precision = node.weights[name].type.precision
    if is_sign(precision):
        return 2 * raw - 1, _SIGNS
    if is_ternary(precision):
        # weight_ternary of nnet_mult.h asks for 0 and -1, and takes anything else for 1.
        return np.where(raw == -2, 1, raw), to
    return raw, to


def is_transposed(node: Any) -> bool:
    """Whether results come first in the weights, as hls4ml has them for the strategy Resource."""
    return bool(node.get_attr("_weights_transposed", False))


def values(node: Any, name: str) -> NDArray[np.float64]:
    """Weights as hls4ml has them, in the shape that it has them in."""
    return np.asarray(node.weights[name].data, np.float64)


def type_of(node: Any, name: str) -> FixedType | None:
    """The type of weights; None if they stand for signs, or are not fixed point."""
    return fixed_type(node.weights[name].type.precision)


def terms(node: Any) -> int:
    """How many products each sum has."""
    return int(node.weights["weight"].data.size // node.weights["bias"].data.size)


def channels_taken(node: Any) -> int:
    """Channels that the weights of a Dense or a convolution are for."""
    return integer(node, "n_in" if node.class_name == "Dense" else "n_chan")


def matrix(node: Any, name: str = "weight") -> NDArray[np.float64] | None:
    """Weights of a Dense or a convolution, of shape (*window, channels, results).

    None where they stand for signs.
    """
    if type_of(node, name) is None:
        return None
    found = values(node, name)
    return np.moveaxis(found, 0, -1) if is_transposed(node) else found


def strategy(node: Any) -> str:
    """hls4ml's strategy for a node: that of its C++."""
    return word(node, "strategy", "latency")


def reuse_factor(node: Any) -> int:
    """hls4ml's reuse factor."""
    return integer(node, "reuse_factor", 1)


def pixels_at_once(node: Any, pixels: int) -> int:
    """How many of a result's pixels the C++ computes at once (hls4ml's ParallelizationFactor)."""
    return pixels // integer(node, "n_partitions", pixels)


def threshold_names(node: Any) -> tuple[str, ...]:
    """What the thresholds of a binary or a ternary activation are called."""
    is_binary = integer(node, "quantize") == 2
    return ("threshold",) if is_binary else ("threshold_hi", "threshold_lo")


def is_scaled_by_channel(node: Any) -> bool:
    """Whether a batch normalization has a scale per channel, and not one per element."""
    return integer(node, "n_filt", -1) != -1


def scale_count(node: Any, size: int) -> int:
    """Scales of a batch normalization of `size` elements that the C++ reads."""
    return integer(node, "n_filt") if is_scaled_by_channel(node) else size
