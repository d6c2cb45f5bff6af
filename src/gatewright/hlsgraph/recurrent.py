"""Recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType, cast
from gatewright.hlsgraph import weights
from gatewright.hlsgraph.node import integer, word, words

#: Functions that hls4ml's C++ has for recurrent layers.
FUNCTIONS: Final = ("relu", "sigmoid", "tanh")


@dataclass(frozen=True)
class Functions:
    """The functions of a recurrent layer.

    Attributes:
        state: Name of the function of what enters the state.
        gates: Name of the function of its gates.
        table_size: Entries of their tables.
        table_type: Type of these.
    """

    state: str
    gates: str
    table_size: int
    table_type: FixedType


def functions(node: Any) -> Functions:
    """The functions of a recurrent layer, and their tables."""
    return Functions(
        word(node, "activation"),
        word(node, "recurrent_activation"),
        integer(node, "table_size"),
        words(node, "table"),
    )


def steps(node: Any) -> int:
    """Steps of the sequence."""
    return integer(node, "n_timesteps")


def recurrent_reuse_factor(node: Any) -> int:
    """hls4ml's reuse factor of the products with the state."""
    return integer(node, "recurrent_reuse_factor", weights.reuse_factor(node))


def has_open_gates(node: Any) -> bool:
    """Whether a GRU's gates are z = 0 and r = 1 whatever it reads, so that it is a SimpleRNN.

    That is so if they are ReLUs of sums of a bias alone, which all types hold.
    """
    if node.class_name != "GRU" or functions(node).gates != "relu":
        return False
    accum = words(node, "accum")
    sums: NDArray[np.int64] | int = 0
    for name in ("", "recurrent_"):
        matrix = weights.matrix(node, f"{name}weight")
        bias, to = weights.raw_weights(node, f"{name}bias")
        gates = 2 * bias.size // 3
        if matrix is None or np.any(matrix[:, :gates]):
            return False
        sums = sums + cast(bias.ravel()[:gates], to.frac, accum)
    if accum.frac < 0 or accum.max < 1 << accum.frac:
        return False
    z, r = np.split(np.asarray(sums), 2)
    return bool(np.all(z == 0) and np.all(r == 1 << accum.frac))


def unlike_keras(node: Any) -> str | None:
    """What a layer asks for and hls4ml's C++ does not do; None if there is no such thing."""
    if node.get_attr("direction", "forward") != "forward":
        return "a sequence taken backwards"
    if node.get_attr("pass_initial_states") or len(node.inputs) > 1:
        return "an initial state"
    if node.get_attr("return_state") or len(node.outputs) > 1:
        return "return_state=True"
    if node.class_name == "GRU" and word(node, "apply_reset_gate", "after") != "after":
        return "reset_after=False"
    if node.get_attr("pytorch"):
        return "PyTorch's order of gates"
    return None
