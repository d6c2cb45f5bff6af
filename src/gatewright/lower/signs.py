"""Products of bits that mean -1 and +1, expressed as products of numbers.

`nnet_mult.h` has a C++ function for each pair of operands; docs/semantics.md defines its result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import WORD_BITS, FixedType, Rounding, cast, narrowest_type
from gatewright.hlsgraph.layers import Layer

Raw = NDArray[np.int64]


def of_sign_inputs(
    weights: Raw, weight_frac: int, bias: Raw, bias_frac: int, accum: FixedType
) -> tuple[Raw, Raw]:
    """Weights and biases for inputs 0 and 1 instead of -1 and +1: `data_binary` of nnet_mult.h.

    A product is w or -w, cast to the unit of the accumulator. So a bit b contributes -w, plus b
    times the difference of the two.

    Args:
        weights: raw weights, int64 of shape (n_in, n_out).
        weight_frac: fractional bits of `weights`.
        bias: raw biases, int64 of shape (n_out,).
        bias_frac: fractional bits of `bias`.
        accum: type of the accumulator.

    Returns:
        Weights and biases in the unit of the accumulator, in the same shapes.
    """
    wide = FixedType(WORD_BITS, WORD_BITS - accum.frac, True, accum.rounding)
    minus = cast(-weights, weight_frac, wide)
    difference = cast(weights, weight_frac, wide) - minus
    return difference, cast(bias, bias_frac, wide) + minus.sum(axis=0)


def agreements(
    layer: Layer, n_in: int, bias: Raw, bias_type: FixedType, accum: FixedType
) -> tuple[FixedType, Raw]:
    """The type of sums of products of signs (`both_binary`, `cast` of nnet_mult.h), and the biases.

    The C++ adds the bias to the number c of bits that agree, and returns 2 (c + bias) - n. That is
    the sum of the products of signs plus twice the bias, in the narrowest integer type.

    Raises:
        UnsupportedError: if a bias is fractional, or the accumulator can't hold the count.
    """
    if (bias % (1 << max(bias_type.frac, 0))).any():
        raise layer.refuse("binary weights on binary inputs can't have a fractional bias")
    bias = cast(bias, bias_type.frac, FixedType(WORD_BITS, WORD_BITS))
    least, most = min(0, int(bias.min())), n_in + max(0, int(bias.max()))
    if accum.frac < 0 or accum.lowest > least << accum.frac or accum.max < most << accum.frac:
        bits = max(-least, most).bit_length() + 1
        raise layer.refuse(
            f"its accumulator {accum} can't count {n_in} agreements; set "
            f"{layer.name}.precision.accum='fixed<{bits},{bits}>'"
        )
    width = (n_in - 1).bit_length() + 2
    return FixedType(width, width, True, Rounding.TRN_ZERO), 2 * bias


def narrowest_type_of(raw: Raw, frac: int) -> FixedType:
    """The narrowest signed type with `frac` fractional bits that can hold raw values."""
    return narrowest_type(int(raw.min(initial=0)), int(raw.max(initial=0)), frac, signed=True)
