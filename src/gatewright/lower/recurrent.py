"""Layers with a state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import kernels
from gatewright.fixed import FixedType
from gatewright.hlsgraph import recurrent, weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.marks import marked
from gatewright.hlsgraph.node import words
from gatewright.kernels import Kernel, curves
from gatewright.lower.registry import lowers, multiplication, place


@lowers("LSTM")
def lstm(layer: Layer) -> Kernel:
    """A long short-term memory."""
    return kernels.Lstm(**_fields(layer))


@lowers("GRU")
def gru(layer: Layer) -> Kernel:
    """A gated recurrent unit."""
    return kernels.Gru(**_fields(layer))


def _fields(layer: Layer) -> dict[str, Any]:
    node = layer.node
    functions = recurrent.functions(node)
    table_type = functions.table_type
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
        "recurrent_activation": functions.gates,
        "table": _table(functions.state, functions.table_size, table_type),
        "recurrent_table": _table(functions.gates, functions.table_size, table_type),
        "table_type": table_type,
        "recurrent_reuse_factor": int(marked(node, "reuse_factor", inner)),
    }


def _table(function: str, size: int, to: FixedType) -> NDArray[np.int64]:
    if function not in curves.CENTRED:
        return np.zeros(0, np.int64)
    curve, _ = curves.CENTRED[function]
    return curve(size, to)
