"""Activations: functions of single elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import kernels
from gatewright.fixed import WORD_BITS, FixedType, cast_int, from_float
from gatewright.hlsgraph import activation, weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.node import words
from gatewright.hlsgraph.precisions import is_bit, is_sign
from gatewright.kernels import Kernel, curves
from gatewright.lower.registry import lowers, place

#: Functions whose kernels have no parameter.
_PLAIN: dict[str, Callable[..., Kernel]] = {"linear": kernels.Linear, "relu": kernels.Relu}
_CLIPPED = {"relu1": 1, "relu6": 6}
_HARD: dict[str, Callable[..., Kernel]] = {
    "hard_sigmoid": kernels.HardSigmoid,
    "hard_tanh": kernels.HardTanh,
}
#: The factor of a SELU, as its C++ for io_stream writes it.
_SELU = 1.0507009873554804934193349852946


@lowers("Activation")
def plain(layer: Layer) -> Kernel:
    """A function without a parameter."""
    name = activation.function(layer.node)
    if name in _PLAIN:
        return _PLAIN[name](**place(layer))
    if name in _CLIPPED:
        return kernels.ClippedRelu(**place(layer), limit=_CLIPPED[name])
    if name in curves.CENTRED:
        curve, reach = curves.CENTRED[name]
        return kernels.Lookup(**place(layer), **_table(layer, curve), reach=reach)
    rule = {
        "binary_tanh": _binary_tanh,
        "ternary_tanh": _ternary_tanh,
        "selu": _selu,
        "elu": _elu_of_one,
    }.get(name)
    if rule is None:
        raise _unknown(layer, name)
    return rule(layer)


@lowers("ParametrizedActivation")
def parametrized(layer: Layer) -> Kernel:
    """A function with one parameter for all elements."""
    name = activation.parametrized(layer.node)
    value, to = activation.constant(layer.node, "parameter")
    if name == "leakyrelu":
        return kernels.LeakyRelu(**place(layer), alpha=np.array([value]), alpha_type=to)
    if name == "thresholdedrelu":
        return kernels.ThresholdedRelu(**place(layer), theta=value, theta_type=to)
    if name == "elu":
        return _elu(layer, value, to)
    raise _unknown(layer, name)


@lowers("PReLU")
def prelu(layer: Layer) -> Kernel:
    """A ReLU with a slope for each element."""
    alpha, alpha_type = weights.raw_weights(layer.node, "param")
    return kernels.LeakyRelu(**place(layer), alpha=alpha.ravel(), alpha_type=alpha_type)


@lowers("HardActivation")
def hard(layer: Layer) -> Kernel:
    """A line between two bounds."""
    name = activation.function(layer.node)
    if name not in _HARD:
        raise _unknown(layer, name)
    (slope, slope_type), (shift, shift_type) = (
        activation.constant(layer.node, which) for which in ("slope", "shift")
    )
    return _HARD[name](
        **place(layer), slope=slope, slope_type=slope_type, shift=shift, shift_type=shift_type
    )


@lowers("UnaryLUT")
def unary_lut(layer: Layer) -> Kernel:
    """A table with one entry per input value."""
    table, _ = weights.raw_weights(layer.node, "table")
    to = words(layer.node, "table")
    return kernels.UnaryLut(**place(layer), table=table.ravel(), table_type=to)


def _unknown(layer: Layer, name: str) -> Exception:
    return layer.refuse(f"activation '{name}' is not supported yet")


def _table(layer: Layer, curve: Callable[[int, FixedType], NDArray[np.int64]]) -> dict[str, Any]:
    """The fields of a kernel with a table of a function's values."""
    to = words(layer.node, "table")
    return {"table": curve(activation.table_size(layer.node), to), "table_type": to}


def _binary_tanh(layer: Layer) -> Kernel:
    to = layer.results[0].precision
    return kernels.BinaryTanh(**place(layer), xnor=is_bit(to) or is_sign(to))


def _ternary_tanh(layer: Layer) -> Kernel:
    if not layer.streams:
        return kernels.TernaryTanh(**place(layer))
    # For io_stream the C++ gives 1 where x > 1, and -1 where x <= -1.
    frac = layer.inputs[0].type.frac
    limits = [cast_int(limit, -frac, FixedType(WORD_BITS, WORD_BITS)) for limit in (1, -1)]
    return kernels.Thresholds(**place(layer), thresholds=np.array(limits)[:, None])


def _selu(layer: Layer) -> Kernel:
    slope: dict[str, Any] = {}
    if layer.streams:
        source = layer.inputs[0].type
        slope = {"slope": int(from_float(np.array(_SELU), source)), "slope_type": source}
    return kernels.Selu(**place(layer), **_table(layer, curves.selu), **slope)


def _elu_of_one(layer: Layer) -> Kernel:
    return _elu(layer, 1, FixedType(2, 2))


def _elu(layer: Layer, alpha: int, alpha_type: FixedType) -> Kernel:
    table = _table(layer, curves.elu)
    return kernels.Elu(**place(layer), **table, alpha=alpha, alpha_type=alpha_type)


@lowers("FixedPointQuantizer")
def quantizer(layer: Layer) -> Kernel:
    """A type for each element."""
    types_of, which = activation.types_of_elements(layer.node)
    return kernels.Requantize(**place(layer), types_of=types_of, which=which)
