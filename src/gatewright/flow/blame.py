"""Finds the type that makes a layer's values in hardware differ from the model's, and a remedy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import GatewrightError
from gatewright.fixed import WORD_BITS, FixedType, Overflow, from_float, to_float
from gatewright.frontend.network import Object
from gatewright.kernels.activation import LeakyRelu
from gatewright.kernels.batchnorm import BatchNorm
from gatewright.kernels.recurrent import Recurrent
from gatewright.kernels.softmax import Softmax, SoftmaxLegacy
from gatewright.kernels.table import Lookup
from gatewright.kernels.weighted import Weighted
from gatewright.results.against_model import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gatewright.flow.counterparts import Stage
    from gatewright.frontend.network import Layer
    from gatewright.kernels import Kernel

    Floats = NDArray[np.float64]

#: Most bits by which a proposed type or a table's index is wider.
_MOST_BITS = 16
_MOST_ENTRIES = 1 << 16
#: The error that a proposed type aims at, as a fraction of the greatest value.
_FINE = 2.0**-11
#: Steps of a table's index that are coarser than this can only be the user's choice.
_COARSE = 2.0**-6


def explain(stage: Stage, wanted: Floats, got: Floats, reach: tuple[float, float]) -> Cause:
    """Why a stage's values differ from the model's on the same inputs.

    Args:
        stage: The stage.
        wanted: The model's values, of any shape.
        got: The hardware's values, with as many elements.
        reach: Least and greatest value of the model here, on its own inputs.

    Returns:
        The most probable cause, with a setting that removes it if there is one.
    """
    wanted, got = wanted.reshape(-1), got.reshape(-1)
    worst = int(np.abs(wanted - got).argmax())
    error = float(abs(wanted[worst] - got[worst]))
    low, high = min(reach[0], float(wanted.min())), max(reach[1], float(wanted.max()))
    value = float(wanted[worst])
    for kernel in reversed(stage.kernels):
        result = kernel.output.type
        if _beyond(value, result):
            return _range(kernel, "result", result, value, low, high)
        accum = getattr(kernel, "accum", None)
        if isinstance(kernel, Weighted) and isinstance(accum, FixedType) and _beyond(value, accum):
            return _range(kernel, "accum", accum, value, low, high)
    if not stage.kernels:
        return Cause(
            layer=stage.layer.name,
            type=str(stage.result.type),
            reason="is not a hardware layer",
        )
    step = 2.0**-stage.result.type.frac
    if error > 1.01 * step:
        for kernel in stage.kernels:
            found = _inside(stage, kernel, error, max(abs(low), abs(high)))
            if found is not None:
                return found
    kernel = max(stage.kernels, key=lambda each: -each.output.type.frac)
    largest = max(abs(low), abs(high), error)
    if error <= 2 * 2.0**-kernel.output.type.frac:
        wanted_frac = math.ceil(-math.log2(largest * _FINE))
        extra = min(_MOST_BITS, max(2, wanted_frac - kernel.output.type.frac))
        wider = _finer(kernel.output.type, extra)
        reason = f"its results are rounded to steps of {2.0**-kernel.output.type.frac:.3g}"
        return _cause(kernel, "result", kernel.output.type, reason, wider)
    kernel = stage.kernels[-1]
    reason = "computes something other than the model's layer"
    return _blamed(kernel, kernel.output.type, reason)


def wide_enough(of: FixedType, low: float, high: float) -> FixedType | None:
    """The type with enough more integer bits to hold an interval.

    Args:
        of: The type.
        low: The interval's least value.
        high: The interval's greatest value.

    Returns:
        The type; None if it would be wider than `WORD_BITS`.
    """
    signed = of.signed or low < 0
    step = 2.0**-of.frac
    bits = max(of.integer - of.signed, 1 - of.frac)
    while 2.0**bits - step < high or -(2.0**bits) > low:
        bits += 1
        if bits + signed + of.frac > WORD_BITS:
            return None
    integer = bits + signed
    return replace(of, signed=signed, integer=integer, width=integer + of.frac)


def beyond(values: Floats, of: FixedType) -> NDArray[np.bool_]:
    """Which values lie outside a type's range by at least one unit of its last place."""
    step = 2.0**-of.frac
    return (values >= (of.max + 1) * step) | (values <= (of.lowest - 1) * step)


def _beyond(value: float, of: FixedType) -> bool:
    return bool(beyond(np.array(value), of))


def _finer(of: FixedType, bits: int) -> FixedType:
    return replace(of, width=of.width + bits)


def _cause(kernel: Kernel, what: str, of: FixedType, reason: str, to: FixedType | None) -> Cause:
    return _blamed(kernel, of, reason, f"{kernel.layer}.precision.{what}={to}" if to else None)


def _range(
    kernel: Kernel, what: str, of: FixedType, value: float, low: float, high: float
) -> Cause:
    verb = "wraps around" if of.overflow is Overflow.WRAP else "saturates"
    role = "" if what == "result" else f" of its {what}"
    step = 2.0**-of.frac
    end = of.max * step if value > 0 else of.lowest * step
    reason = f"{verb}, as the type{role} ends at {end:.6g}; the model's values reach {value:.6g}"
    return _cause(kernel, what, of, reason, wide_enough(of, low, high))


def _inside(stage: Stage, kernel: Kernel, error: float, scale: float) -> Cause | None:
    """The cause within a kernel with the greatest error: weights, sums or tables; else None."""
    found: list[tuple[float, Cause]] = []
    if isinstance(kernel, Weighted | BatchNorm | LeakyRelu | Recurrent):
        found += _of_weights(stage, kernel, error, scale)
    if isinstance(kernel, Weighted):
        missing = kernel.inputs[0].type.frac + kernel.weight_type.frac - kernel.accum.frac
        if missing > 0:
            step = 2.0**-kernel.accum.frac
            reason = f"its products are summed in steps of {step:.3g}"
            wider = _finer(kernel.accum, min(missing, _MOST_BITS))
            cause = _cause(kernel, "accum", kernel.accum, reason, wider)
            found.append((step * kernel.weights.shape[0], cause))
    if isinstance(kernel, Lookup | Recurrent):
        step = 2.0**-kernel.table_type.frac
        reason = f"its table has values in steps of {step:.3g}"
        finer = _finer(kernel.table_type, _missing_bits(error))
        found.append((step, _cause(kernel, "table", kernel.table_type, reason, finer)))
    if isinstance(kernel, Lookup | Recurrent | SoftmaxLegacy):
        size = (kernel.exp_table if isinstance(kernel, SoftmaxLegacy) else kernel.table).size
        entries = min(_MOST_ENTRIES, size << _missing_bits(error))
        reason = f"its table has {size} entries"
        setting = f"{kernel.layer}.table_size={entries}"
        cause = _blamed(kernel, kernel.output.type, reason, setting)
        found += [(error / 2, cause)] if entries > size else []
    if isinstance(kernel, Softmax):
        found += _of_softmax(kernel, error)
    return max(found, key=lambda each: each[0])[1] if found else None


def _missing_bits(error: float) -> int:
    """The bits that reduce an error to 2^-10, for functions with results of about 1."""
    return min(_MOST_BITS, max(1, math.ceil(math.log2(error)) + 10))


def _of_softmax(kernel: Softmax, error: float) -> Iterator[tuple[float, Cause]]:
    """Possible causes in a softmax, its tables and their indices, each with its largest error."""
    for what, of in (("exp_table", kernel.exp_type), ("inv_table", kernel.inv_type)):
        step = 2.0**-of.frac
        reason = f"its {what} has values in steps of {step:.3g}"
        finer = _finer(of, min(_MOST_BITS, max(1, math.ceil(math.log2(step / _FINE)))))
        yield step, _cause(kernel, what, of, reason, finer)
    if kernel.norm is None:
        reason = "indexes its table by the top bits of a wide input"
        setting = f"{kernel.layer}.implementation=stable"
        yield error, _blamed(kernel, kernel.inputs[0].type, reason, setting)
        return
    own = 2.0 ** -kernel.inputs[0].type.frac
    for what, of, size in (
        ("inp_norm", kernel.norm, kernel.exp_table.size),
        ("inv_inp", kernel.inv_input, kernel.inv_table.size),
    ):
        step = 2.0**of.integer / size
        if step > max(_COARSE, own):
            reason = f"indexes a table in steps of {step:.3g}, by the top bits of its {what}"
            setting = f"{kernel.layer}.precision.{what}=auto"
            yield step, _blamed(kernel, of, reason, setting)


def _of_weights(
    stage: Stage, kernel: Any, error: float, scale: float
) -> Iterator[tuple[float, Cause]]:
    """Possible causes in the types of weights and biases, each with its largest error."""
    x = kernel.inputs[0].type
    reach = max(-x.min, x.max) * 2.0**-x.frac
    for what, values, of, multiplies in _factors(stage, kernel):
        try:
            lost = np.abs(values - to_float(from_float(values, of), of.frac))
        except GatewrightError:
            continue  # floats can't be cast to such a wide type
        if not lost.any():
            continue
        # The largest error of a sum, with each input at an end of its range.
        share = float(lost.sum(axis=0).max() * reach if multiplies else lost.max())
        wider: FixedType | None
        if beyond(values, of).any():
            end = max(abs(of.max), abs(of.lowest)) * 2.0**-of.frac
            far = float(values.flat[int(np.abs(values).argmax())])
            reason = f"its {what} reaches {far:.6g}, and the type ends at {end:.6g}"
            wider = wide_enough(of, float(values.min()), float(values.max()))
        else:
            reason = f"its {what} is rounded to steps of {2.0**-of.frac:.3g}"
            wanted = max(2.0**-stage.result.type.frac, scale * _FINE)
            bits = max(1, math.ceil(math.log2(error / wanted)) + 1)
            wider = _finer(of, min(_MOST_BITS, bits))
        yield share, _cause(kernel, what, of, reason, wider)


def _factors(stage: Stage, kernel: Any) -> Iterator[tuple[str, Floats, FixedType, bool]]:
    """The model's constants: name, values, type in hardware, and whether they are factors."""
    of_state = isinstance(kernel, Recurrent)
    layers = [
        each
        for each in (*stage.chain, stage.layer)
        if each.weights and ("recurrent_kernel" in each.weights) == of_state
    ]
    layers = [each for each in layers if each.name == kernel.layer] or layers
    if isinstance(kernel, BatchNorm):
        for layer in layers:
            if "moving_variance" in layer.weights and layer.kind == "BatchNormalization":
                scale, bias = _normalization(layer)
                yield "scale", scale[np.newaxis], kernel.scale_type, True
                yield "bias", bias, kernel.bias_type, False
        return
    if isinstance(kernel, LeakyRelu):
        given = stage.layer.arguments
        slope: Any = stage.layer.weights.get(
            "alpha", given.get("alpha") or given.get("negative_slope")
        )
        if slope is not None:
            values = np.asarray(slope, np.float64).reshape(1, -1)
            yield "param", values, kernel.alpha_type, True
        return
    for layer in layers:
        for name, array in layer.weights.items():
            quantizer = layer.arguments.get(f"{name.removesuffix('_kernel')}_quantizer")
            if isinstance(quantizer, Object):
                continue
            values = np.asarray(array, np.float64)
            if name == "recurrent_kernel":
                yield "recurrent_weight", values, kernel.recurrent_weight_type, True
            elif name == "bias" and of_state:
                yield "bias", values.reshape(-1, values.shape[-1])[0], kernel.bias_type, False
            elif name == "bias":
                yield "bias", values, kernel.bias_type, False
            elif name.endswith("kernel"):
                yield "weight", values.reshape(-1, values.shape[-1]), kernel.weight_type, True


def _normalization(layer: Layer) -> tuple[Floats, Floats]:
    """The factor and the offset of a batch normalization, float64 [channels] each."""
    found = {name: np.asarray(array, np.float64) for name, array in layer.weights.items()}
    epsilon: Any = layer.arguments["epsilon"]
    scale = found.get("gamma", 1.0) / np.sqrt(found["moving_variance"] + epsilon)
    return scale, found.get("beta", 0.0) - found["moving_mean"] * scale


def _blamed(kernel: Kernel, of: FixedType, reason: str, setting: str | None = None) -> Cause:
    return Cause(layer=kernel.layer, type=str(of), reason=reason, setting=setting)
