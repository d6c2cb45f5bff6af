"""Layers with a state."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright import kernels
from gatewright.hlsgraph import recurrent, weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.marks import marked
from gatewright.hlsgraph.node import words
from gatewright.kernels import Kernel, curves
from gatewright.lower.registry import lowers, multiplication, place

#: Fields with a part for each gate.
_ARRAYS: Final = ("weights", "bias", "recurrent_weights", "recurrent_bias")


@lowers("LSTM")
def lstm(layer: Layer) -> Kernel:
    """A long short-term memory."""
    return kernels.Lstm(**_fields(layer), **_gates(layer))


@lowers("GRU")
def gru(layer: Layer) -> Kernel:
    """A gated recurrent unit, or one without gates."""
    fields = _fields(layer)
    if not recurrent.has_open_gates(layer.node):
        return kernels.Gru(**fields, **_gates(layer))
    for name in _ARRAYS:
        fields[name] = np.split(fields[name], 3, axis=-1)[2]
    return kernels.SimpleRnn(**fields)


def _fields(layer: Layer) -> dict[str, Any]:
    """What all recurrent layers have; arrays have all gates along their last axis."""
    node = layer.node
    functions = recurrent.functions(node)
    fields = {**place(layer), **multiplication(layer)}
    for name, role in (("", "weight"), ("recurrent_", "recurrent_weight")):
        matrix, to = weights.raw_weights(node, role)
        matrix = np.moveaxis(matrix, 0, -1) if weights.is_transposed(node) else matrix
        bias, bias_type = weights.raw_weights(node, f"{name}bias")
        fields |= {
            f"{name}weights": matrix,
            f"{name}weight_type": to,
            f"{name}bias": bias.ravel(),
            f"{name}bias_type": bias_type,
        }
    inner = recurrent.recurrent_reuse_factor(node)
    return {
        **fields,
        "accum": words(node, "accum"),
        "activation": functions.state,
        "table": _table(functions.state, functions),
        "table_type": functions.table_type,
        "recurrent_reuse_factor": int(marked(node, "reuse_factor", inner)),
    }


def _gates(layer: Layer) -> dict[str, Any]:
    """The function of the gates."""
    functions = recurrent.functions(layer.node)
    return {
        "recurrent_activation": functions.gates,
        "recurrent_table": _table(functions.gates, functions),
    }


def _table(function: str, functions: recurrent.Functions) -> NDArray[np.int64]:
    if function not in curves.CENTRED:
        return np.zeros(0, np.int64)
    curve, _ = curves.CENTRED[function]
    return curve(functions.table_size, functions.table_type)
