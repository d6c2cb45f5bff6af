"""QKeras' quantizers at inference, in NumPy.

The operations and their order are those of QKeras 0.9 (qkeras/quantizers.py) in float32, so that
the results agree to the last bit. The order matters: QKeras computes x + (q - x) for the quantized
value q of x, which rounds. Two operations of QKeras depend on the machine's vector unit, so that
their last bits may differ here: means over many values (scales of `binary` and `ternary` with
alpha="auto") and logarithms. The latter affect only values within 2^-18 of the middle between two
powers of two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.frontend.network import Object

Floats = NDArray[np.float32]
Arguments = Mapping[str, Any]

_EPSILON = np.float32(1e-7)
_ROUNDS_OF_SCALE = 5
_TERNARY_THRESHOLD = 0.33


@dataclass(frozen=True)
class Quantized:
    """Quantized values.

    Attributes:
        values: The values, float32, including the scale.
        scale: The values are multiples of it. A number, or an array that broadcasts to their
            shape; None if the quantizer has no scale.
    """

    values: Floats
    scale: Floats | float | None = None


def quantize(quantizer: Object, values: NDArray[Any]) -> Quantized:
    """Quantize as QKeras does at inference.

    Args:
        quantizer: A quantizer as `quantizers` reads it.
        values: Any shape; the last axis counts channels.

    Raises:
        ValueError: if QKeras draws at random at inference too, fails with these arguments, or
            returns infinities or NaN. The text completes a sentence that begins with the
            quantizer's class.
    """
    x = np.asarray(values, np.float32)
    # TensorFlow treats subnormal numbers as 0.
    x = np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x)
    with np.errstate(all="ignore"):
        found = _KINDS[quantizer.kind](quantizer.arguments, x)
    if not np.isfinite(found.values).all():
        raise ValueError("gives infinities or NaN, in QKeras too")
    return found


def _through(x: Floats, quantized: Floats, *, direct: bool = False) -> Floats:
    """The quantized value as QKeras' straight-through estimator rounds it."""
    return quantized if direct else x + (quantized - x)


def _exponents(x: Floats) -> Floats:
    """Exponents of the nearest powers of two, nearest in the logarithm."""
    return np.rint(np.log2(x.astype(np.float64))).astype(np.float32)


def _power(exponents: Floats) -> Floats:
    return np.exp2(exponents.astype(np.float64)).astype(np.float32)


def _magnitude_sign(x: Floats) -> Floats:
    """1 for values of at least 0, else -1."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))


def _hard_sigmoid(x: Floats) -> Floats:
    line: Floats = np.clip(np.float32(0.5) * x + np.float32(0.5), np.float32(0), np.float32(1))
    return line


def _sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)


def _axes(rank: int, scale_axis: int | None = None) -> tuple[int, ...]:
    """The axes that share a scale: all but `scale_axis`, which is the last axis if None."""
    if scale_axis is None:
        return tuple(range(rank - 1))
    axes = (*range(scale_axis), *range(scale_axis + 1, rank))
    if axes and axes[-1] >= rank:
        raise ValueError(f"has a scale_axis={scale_axis}, but its values have {rank} axes")
    return axes


def _mean(x: Floats, axes: tuple[int, ...]) -> Floats:
    return _as_floats(np.mean(x, axis=axes, keepdims=True, dtype=np.float64))


def _scale(alpha: Any, x: Floats, q: Floats, scale_axis: int | None = None) -> Floats | float:
    """The given scale, or the least-squares scale of `q` for `x` if alpha says to measure it."""
    if not isinstance(alpha, str):
        return _given_scale(alpha)
    if x.ndim > 1:
        axes = _axes(x.ndim, scale_axis)
        qx, qq = _mean(x * q, axes), _mean(q * q, axes)
    else:
        qx, qq = x * q, q * q
    scale = qx / (qq + _EPSILON)
    return _power(_exponents(scale + _EPSILON)) if alpha == "auto_po2" else scale


def _given_scale(alpha: Any) -> float:
    if isinstance(alpha, tuple):
        raise ValueError("takes no list as alpha, in QKeras either; use a number")
    return 1.0 if alpha is None else float(alpha)


def _largest(x: Floats) -> Floats:
    axes = tuple(range(x.ndim - 1)) if x.ndim > 1 else (0,)
    largest: Floats = np.max(np.abs(x), axis=axes, keepdims=True)
    return largest


def _quantized_bits(a: Arguments, x: Floats) -> Quantized:
    bits, keep = int(a["bits"]), bool(a["keep_negative"])
    unsigned = bits - keep
    m, m_i = np.float32(2.0**unsigned), np.float32(2.0 ** int(a["integer"]))
    alpha = a["alpha"]
    scale: Floats | float
    if isinstance(alpha, str):
        z, measured = _auto_levels(bits, alpha, a["scale_axis"], x / m_i)
        scale = _as_floats(measured * m)
        quantized = scale * (m_i * z / m)
    else:
        is_list = isinstance(alpha, tuple)
        scale = np.asarray(alpha, np.float32) if is_list else _given_scale(alpha)
        if unsigned > 0:
            lowest = np.float32(int(keep) * (-m + np.float32(a["symmetric"])))
            levels = np.maximum(np.minimum(np.rint(x * m / m_i), m - 1), lowest)
            quantized = np.float32(1) * scale * (m_i * levels / m)
        else:
            sign = _magnitude_sign(x)
            quantized = np.float32(1) * scale * (sign if keep else (sign + 1) / 2)
    return Quantized(_through(x, _as_floats(quantized), direct=not a["use_ste"]), scale)


def _as_floats(values: Any) -> Floats:
    return np.asarray(values, np.float32)


def _auto_levels(
    bits: int, alpha: str, scale_axis: int | None, x: Floats
) -> tuple[Floats, Floats | float]:
    """Integer levels, symmetric around 0, and the scale that is measured for them."""
    axes = _axes(x.ndim, scale_axis) if x.ndim > 1 else (0,)
    levels = np.float32((2 ** (bits - 1) - 1) * 2)
    half = levels / np.float32(2)
    scale: Any = np.max(np.abs(x), axis=axes, keepdims=True) * np.float32(2) / levels

    def rounded(scale: Any) -> Floats:
        steps = np.floor(np.abs(x) / scale + np.float32(0.5))
        return np.sign(x) * np.where(steps < half, steps, half)

    if alpha == "auto":
        return rounded(scale), scale
    scale = _power(_exponents(scale + _EPSILON))
    for _ in range(_ROUNDS_OF_SCALE):
        z = rounded(scale)
        scale = _scale(alpha, x, z, scale_axis)
    return z, scale


def _binary(a: Arguments, x: Floats) -> Quantized:
    alpha = a["alpha"]
    q: Any = _magnitude_sign(x)
    if a.get("use_01"):
        q = (q + 1) / 2
    if alpha is None:
        x = np.tanh(x)
    scale = _scale(alpha, x, q)
    return Quantized(_through(x, _as_floats(scale * q)), scale)


def _ternary(a: Arguments, x: Floats) -> Quantized:
    alpha, threshold = a["alpha"], a["threshold"]
    scale: Any
    if isinstance(alpha, str):
        if threshold is not None:
            raise ValueError(f"takes no threshold together with alpha={alpha}, in QKeras either")
        scale = np.float32(2) * _largest(x) / np.float32(3)
        if alpha == "auto_po2":
            scale = _power(_exponents(scale + _EPSILON))
        for _ in range(int(a["number_of_unrolls"])):
            steps = scale * np.rint(x / scale)
            q = np.where(np.abs(steps) >= scale / np.float32(2), np.sign(x), np.float32(0))
            scale = _scale(alpha, x, q)
    else:
        if a.get("use_stochastic_rounding"):
            raise ValueError("takes no use_stochastic_rounding with this alpha, in QKeras either")
        least = np.float32(_TERNARY_THRESHOLD if threshold is None else threshold)
        scale = _given_scale(alpha)
        q = np.where(np.abs(x) >= least, np.sign(x), np.float32(0))
    if alpha is None:
        x = np.tanh(x)
    return Quantized(_through(x, _as_floats(scale * q)), scale)


def _quantized_relu(a: Arguments, x: Floats) -> Quantized:
    slope, bound, clips = float(a["negative_slope"]), a["relu_upper_bound"], a["is_quantized_clip"]
    bits = int(a["bits"]) - (slope != 0)
    m, m_i = np.float32(2.0**bits), np.float32(2.0 ** int(a["integer"]))
    rectified = np.where(x < 0, np.float32(slope) * x, x)
    end = m_i - m_i / m if clips else bound
    x_u = rectified if end is None else np.where(x <= np.float32(end), rectified, np.float32(end))
    one, last = np.float32(1), np.float32(1) - np.float32(1) / m
    p = _hard_sigmoid(x / m_i) * m if a["use_sigmoid"] else x * m / m_i

    def part(steps: Floats, low: Any, high: Any) -> Floats:
        fraction = np.float32(2) * steps - one if a["use_sigmoid"] else steps
        return np.clip(fraction, np.float32(low), np.float32(high))

    quantized = m_i * part(np.rint(p) / m, 0, last)
    if slope > 0:
        factor = np.float32(1) / (np.float32(slope) * m)
        steps = np.rint(p * np.float32(slope)) * factor
        quantized = quantized + m_i * np.float32(slope) * part(steps, -1, 0)
    if bound and not clips:
        quantized = np.minimum(quantized, np.float32(bound))
    return Quantized(_through(x_u, quantized, direct=not a["use_ste"]))


def _clipped_exponents(a: Arguments, x: Floats, low: int, high: int) -> Floats:
    """Exponents of powers of two for values of at least 0, clipped to `low` and `high`."""
    limit = a["max_value"]
    filtered = np.where(x < _EPSILON, _EPSILON, x)
    if limit is not None:
        filtered = np.minimum(filtered, np.float32(limit))
    factor = np.float32(1)
    if a["quadratic_approximation"]:
        filtered, factor = np.sqrt(filtered), np.float32(2)
    if a["log2_rounding"] == "floor":
        exponents = np.floor(np.log2(filtered.astype(np.float64))).astype(np.float32)
    else:
        exponents = _exponents(filtered)
    return np.where(x < _EPSILON, np.float32(low), factor * np.clip(exponents, low, high))


def _ends_of_exponents(a: Arguments, bits: int) -> tuple[int, int]:
    limit = a["max_value"]
    if limit is not None and limit < 0:
        raise ValueError("takes no negative max_value, in QKeras either")
    effective = bits - (limit is None or limit > 1)
    low, high = -(2.0**effective), 2.0**effective - 1
    if int(low) != low:
        raise ValueError(f"has too few bits, {a['bits']}, for an exponent")
    return int(low), int(2 * (high // 2) if a["quadratic_approximation"] else high)


def _quantized_po2(a: Arguments, x: Floats) -> Quantized:
    exponents = _clipped_exponents(a, np.abs(x), *_ends_of_exponents(a, int(a["bits"]) - 1))
    quantized = _magnitude_sign(x) * _power(exponents)
    return Quantized(_through(x, quantized, direct=not a["use_ste"]))


def _quantized_relu_po2(a: Arguments, x: Floats) -> Quantized:
    slope, ends = np.float32(a["negative_slope"]), _ends_of_exponents(a, int(a["bits"]))
    rectified = np.where(x < 0, slope * x, x)
    if a["max_value"] is not None:
        limit = np.float32(a["max_value"])
        rectified = np.where(x <= limit, rectified, limit)
    zero = np.float32(0)
    positive = _power(_clipped_exponents(a, np.maximum(x, zero), *ends))
    negative = _power(_clipped_exponents(a, np.maximum(-x, zero) * slope, *ends))
    quantized = np.where((x >= 0) | (slope == 0), positive, -negative)
    return Quantized(_through(rectified, quantized, direct=not a["use_ste"]))


def _quantized_ulaw(a: Arguments, x: Floats) -> Quantized:
    m, m_i = np.float32(2.0 ** (int(a["bits"]) - 1)), np.float32(2.0 ** int(a["integer"]))
    u, one = np.float32(a["u"]), np.float32(1)
    position = np.float32(2) * (np.rint(_hard_sigmoid(x / m_i) * m) / m) - one
    law = np.sign(position) * np.log(one + u * np.abs(position)) / np.log(one + u)
    return Quantized(m_i * np.clip(law, -one + np.float32(a["symmetric"]) / m, one - one / m))


def _quantized_tanh(a: Arguments, x: Floats) -> Quantized:
    m, one = np.float32(2.0 ** (int(a["bits"]) - 1)), np.float32(1)
    curve = np.tanh(x) if a["use_real_tanh"] else np.float32(2) * _hard_sigmoid(x) - one
    low = -one + np.float32(a["symmetric"]) / m
    return Quantized(np.clip(np.rint(curve * m) / m, low, one - one / m))


def _quantized_sigmoid(a: Arguments, x: Floats) -> Quantized:
    m, one = np.float32(2.0 ** int(a["bits"])), np.float32(1)
    curve = _sigmoid(x) if a["use_real_sigmoid"] else _hard_sigmoid(x)
    return Quantized(np.clip(np.rint(curve * m) / m, np.float32(a["symmetric"]) / m, one - one / m))


def _bernoulli(a: Arguments, x: Floats) -> Quantized:
    raise ValueError("draws at random even at inference, which hardware does not do")


def _binary_tanh(a: Arguments, x: Floats) -> Quantized:
    return Quantized(np.float32(2) * np.rint(_hard_sigmoid(x)) - np.float32(1))


def _ternary_tanh(a: Arguments, x: Floats) -> Quantized:
    raise ValueError("is not a function of QKeras 0.9; use ternary")


_KINDS: Mapping[str, Callable[[Arguments, Floats], Quantized]] = {
    "bernoulli": _bernoulli,
    "binary": _binary,
    "binary_tanh": _binary_tanh,
    "quantized_bits": _quantized_bits,
    "quantized_po2": _quantized_po2,
    "quantized_relu": _quantized_relu,
    "quantized_relu_po2": _quantized_relu_po2,
    "quantized_sigmoid": _quantized_sigmoid,
    "quantized_tanh": _quantized_tanh,
    "quantized_ulaw": _quantized_ulaw,
    "stochastic_binary": _binary,
    "stochastic_ternary": _ternary,
    "ternary": _ternary,
    "ternary_tanh": _ternary_tanh,
}
