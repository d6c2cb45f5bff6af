"""Contents of the tables that hls4ml builds from floats, entry by entry as its C++ does.

The arithmetic is single or double precision exactly where the C++ has it so. The transcendental
functions are the C library's own, because NumPy's differ from them in the last bit.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, cast, from_float

_Float = TypeVar("_Float", np.float32, np.float64)

#: What `ap_fixed` takes a single-precision infinity for: its exponent read as that of a number.
_INFINITY = 2.0**128


def sigmoid(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_sigmoid_table`: 1 / (1 + exp(-x)) for x from -8 to 8.

    Args:
        size: number of entries.
        to: type of an entry.

    Returns:
        int64 of shape (size,).
    """
    grown = np.float32(1) + _expf(-_centred(size, 16))
    return _entries((1.0 / grown.astype(np.float64)).astype(np.float32), to)


def tanh(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_tanh_table`: the hyperbolic tangent of x from -4 to 4; see `sigmoid`."""
    return _entries(_libm("tanhf", _centred(size, 8)), to)


def softplus(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_softplus_table`: log(exp(x) + 1) for x from -8 to 8; see `sigmoid`."""
    grown = _expf(_centred(size, 16)).astype(np.float64) + 1.0
    return _entries(_libm("log", grown).astype(np.float32), to)


def softsign(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_softsign_table`: x / (|x| + 1) for x from -8 to 8; see `sigmoid`."""
    x = _centred(size, 16).astype(np.float64)
    return _entries((x / (np.abs(x) + 1.0)).astype(np.float32), to)


#: Functions with a table around zero, and the width of the interval that it covers.
CENTRED: dict[str, tuple[Callable[[int, FixedType], NDArray[np.int64]], int]] = {
    "sigmoid": (sigmoid, 16),
    "tanh": (tanh, 8),
    "softplus": (softplus, 16),
    "softsign": (softsign, 16),
}


def elu(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_elu_table`: exp(x) - 1 for x from 0 down to -8; see `sigmoid`."""
    return _entries((_expf(_falling(size)).astype(np.float64) - 1.0).astype(np.float32), to)


def selu(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_selu_table`: scaled exp(x) - 1 for x from 0 to -8; see `sigmoid`."""
    grown = _expf(_falling(size)).astype(np.float64) - 1.0
    scaled = 1.0507009873554804934193349852946 * (1.6732632423543772848170429916717 * grown)
    return _entries(scaled.astype(np.float32), to)


def softmax_exp(
    size: int, index: FixedType, to: FixedType, *, negative: bool, scale: float = 1.0
) -> NDArray[np.int64]:
    """Raw entries of `init_exp_table`: exp(scale * x), x having the entry's index as its top bits.

    Args:
        size: number of entries, a power of two of at most 2**index.width.
        index: type of x: the input's, or that of the normalized input (inp_norm_t) if `negative`.
        to: type of an entry.
        negative: exp(-scale * x), as the "stable" implementation has it.
        scale: hls4ml's `exp_scale`.

    Returns:
        int64 of shape (size,).

    Raises:
        UnsupportedError: if there are not as many bits to index with.
    """
    x = _from_top_bits(size, index) * np.float32(scale)
    return _entries(_expf(-x if negative else x), to)


def softmax_invert(size: int, index: FixedType, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_invert_table`: 1 / x, x having the entry's index as its top bits.

    See `softmax_exp`; `index` is hls4ml's inv_inp_t. The inverse of 0 is an infinity: cast, the
    largest value, or 0 if `to` wraps.
    """
    with np.errstate(divide="ignore"):
        return _entries(np.float32(1) / _from_top_bits(size, index), to)


def inverse_root(size: int, reach: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_invert_sqr_table`: 1 / sqrt(x), x being the middle of a step.

    Args:
        size: number of entries.
        reach: the table covers 0 to 2**reach.
        to: type of an entry.

    Returns:
        int64 of shape (size,).
    """
    step = np.float32(math.pow(2.0, reach)) / np.float32(size)
    x = step * (np.arange(size).astype(np.float32) + np.float32(0.5))
    return _entries(1.0 / np.sqrt(x).astype(np.float64), to)


def edge_weights(distance: FixedType, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `initialize_edge_weights_table`: exp(-d * d) for distances d from 0 up.

    A negative distance has the entry of its opposite. The entry at 0 is the greatest number below
    one that a type without integer bits holds. The others are first truncated to the fractional
    bits of d * d, the type that `hls::exp` has in hls4ml's headers.

    Args:
        distance: type of d.
        to: type of an entry.

    Returns:
        int64 of shape (-distance.min + 1,), by raw distance.
    """
    d = np.arange(1, 1 - distance.min) * 2.0**-distance.frac
    wide = FixedType(2 * distance.width + 1, 2 * distance.integer + 1)
    found = from_float(_libm("exp", -d * d), wide)
    first = np.array([(1 << to.width) - 1])
    return np.concatenate([cast(first, to.width, to), cast(found, wide.frac, to)])


def legacy_exp(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_exp_table_legacy`: exp(x) for x from -8 to 8; see `sigmoid`."""
    return _entries(_expf(_centred(size, 16)), to)


def legacy_invert(size: int, to: FixedType) -> NDArray[np.int64]:
    """Raw entries of `init_invert_table_legacy`: 1 / x for x from 0 to 64; see `sigmoid`."""
    x = (64.0 * np.arange(size) / size).astype(np.float32).astype(np.float64)
    return _entries(np.divide(1.0, x, out=np.zeros_like(x), where=x > 0), to)


def _centred(size: int, reach: int) -> NDArray[np.float32]:
    """The x of each entry of a table from -reach/2 to reach/2."""
    x: NDArray[np.float32] = (reach * (np.arange(size) - size / 2.0) / size).astype(np.float32)
    return x


def _falling(size: int) -> NDArray[np.float32]:
    """The x of each entry of a table from 0 down to -8."""
    x: NDArray[np.float32] = (-8.0 * np.arange(size) / size).astype(np.float32)
    return x


def _from_top_bits(size: int, index: FixedType) -> NDArray[np.float32]:
    bits = size.bit_length() - 1
    if size != 1 << bits or not 1 <= bits <= min(index.width, 24):
        raise UnsupportedError(
            f"a softmax table of {size} entries cannot be indexed by the top bits of {index}: its "
            f"size must be a power of two from 2 to {1 << min(index.width, 24)}"
        )
    code = np.arange(size)
    if index.signed:
        code = np.where(code >= size // 2, code - size, code)
    return np.ldexp(code.astype(np.float32), index.integer - bits)


def _entries(x: NDArray[np.float32] | NDArray[np.float64], to: FixedType) -> NDArray[np.int64]:
    x = x.astype(np.float64)
    return from_float(np.where(np.isinf(x), np.copysign(_INFINITY, x), x), to)


def _expf(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return _libm("expf", x)


def _libm(name: str, x: NDArray[_Float]) -> NDArray[_Float]:
    function = _libm_function(name)
    return np.array([function(value) for value in x.tolist()], x.dtype)


@functools.cache
def _libm_function(name: str) -> Callable[[float], float]:
    function = getattr(ctypes.CDLL(None), name)
    number = ctypes.c_float if name.endswith("f") else ctypes.c_double
    function.argtypes, function.restype = [number], number
    return function  # type: ignore[no-any-return]
