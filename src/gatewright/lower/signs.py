"""Products of bits that stand for -1 and +1, put as products of numbers.

`nnet_mult.h` has a C++ function for each pair of operands; what it returns is said in
docs/semantics.md.
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
    """Weights and biases for bits 0 and 1 in place of -1 and +1: `data_binary` of nnet_mult.h.

    A product is w or -w in the unit of the accumulator; a bit b so adds -w, and b times the
    difference of the two. The results are in that unit, too.
    """
    wide = FixedType(WORD_BITS, WORD_BITS - accum.frac, True, accum.rounding)
    minus = cast(-weights, weight_frac, wide)
    difference = cast(weights, weight_frac, wide) - minus
    return difference, cast(bias, bias_frac, wide) + minus.sum(axis=0)


def agreements(
    layer: Layer, n_in: int, bias: Raw, bias_type: FixedType, accum: FixedType
) -> tuple[FixedType, Raw]:
    """The type in which `both_binary` and `cast` of nnet_mult.h return agreements, and the biases.

    The C++ adds the bias to the number c of bits that agree and returns twice that less n, which
    is the sum of the products of signs and twice the bias, as an integer just wide enough.
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
    """The narrowest type with `frac` fractional bits that holds raw values."""
    return narrowest_type(int(raw.min(initial=0)), int(raw.max(initial=0)), frac, signed=True)
