"""The operators `RNN`, `LSTM` and `GRU` of ONNX as layers of Keras.

ONNX orders gates differently, and has a set of weights for each direction: ONNX, Operators, RNN,
LSTM and GRU. PyTorch exports them with the steps of a sequence before the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gatewright.fixed import FixedType
from gatewright.frontend.messages import shown
from gatewright.frontend.precision import exact_type
from gatewright.frontend.readers.onnx_graph import Constant, Graph, Node, Values

#: Layers of Keras by operator.
OPERATORS: Final = {"RNN": "SimpleRNN", "LSTM": "LSTM", "GRU": "GRU"}
#: Keras' order of gates in ONNX': LSTM has i, o, f, c there and i, f, c, o here.
_GATES: Final = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2)}
#: Functions that have a table here; by ONNX' names.
_FUNCTIONS: Final = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu"}
_DEFAULT: Final = {
    "RNN": ["Tanh"],
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
}
_DIRECTIONS: Final = ("forward", "reverse", "bidirectional")


@dataclass(frozen=True)
class Way:
    """A layer that runs along a sequence in one direction.

    Attributes:
        config: Its arguments.
        arrays: Its weights by Keras' names.
        types: Types of those that a quantizer made.
    """

    config: dict[str, Any]
    arrays: dict[str, Values]
    types: dict[str, FixedType]


def ways(graph: Graph, node: Node) -> list[Way]:
    """The layers of a node, one for each direction; the second, or a reversed one, runs backwards.

    Raises:
        UnsupportedError: if the node has arguments that these layers don't have.
    """
    kind, attributes = node["op"], node["attributes"]
    direction = attributes.get("direction", "forward")
    if direction not in _DIRECTIONS:
        graph.refuse(node, f"direction must be one of {', '.join(_DIRECTIONS)}")
    count = 2 if direction == "bidirectional" else 1
    for key in ("clip", "input_forget"):
        if attributes.get(key):
            graph.refuse(node, f"{key} has no layer")
    for index, what in ((4, "lengths of sequences"), (5, "a first state"), (6, "a first cell")):
        given = index < len(node["inputs"]) and node["inputs"][index]
        if given and (index == 4 or graph.constant(node, index, what).values.any()):
            graph.refuse(node, f"{what} has no layer but one of zeros; leave it out")
    if len(node["inputs"]) > 7 and node["inputs"][7]:
        graph.refuse(node, "peepholes have no layer")
    functions = _functions(graph, node, count)
    constants = [
        graph.constant(node, index, what)
        for index, what in ((1, "the weights"), (2, "the recurrent weights"), (3, "the bias"))
        if index < 3 or (len(node["inputs"]) > 3 and node["inputs"][3])
    ]
    if any(constant.unit is not None for constant in constants):
        graph.refuse(node, "its weights have a scale that is no power of two")
    weights, recurrent = (constant.values for constant in constants[:2])
    order = _GATES[kind]
    gates = len(order)
    units = int(recurrent.shape[-1])
    bias = np.zeros((count, 2, gates * units), np.float32)
    if len(constants) > 2:
        bias = constants[2].values.reshape(count, 2, gates * units)
    rows = (count, gates * units)
    if weights.shape[:2] != rows or recurrent.shape != (*rows, units):
        graph.refuse(node, f"its weights have shapes {weights.shape} and {recurrent.shape}")

    def ordered(array: Values) -> Values:
        """Gates, along the last axis, in Keras' order."""
        parted = array.reshape(*array.shape[:-1], gates, units)[..., list(order), :]
        return np.ascontiguousarray(parted.reshape(array.shape))

    found = []
    for number in range(count):
        own = ordered(bias[number])
        arrays = {
            "kernel": ordered(weights[number].T),
            "recurrent_kernel": ordered(recurrent[number].T),
            "bias": own if kind == "GRU" else own.sum(axis=0),
        }
        config = {
            "units": units,
            **functions[number],
            "use_bias": True,
            "return_sequences": True,
            "go_backwards": direction == "reverse" or number == 1,
        }
        if kind == "GRU":
            config["reset_after"] = bool(graph.integer(node, "linear_before_reset", 0))
        found.append(Way(config, arrays, _types(kind, arrays, constants)))
    return found


def _types(kind: str, arrays: dict[str, Values], constants: list[Constant]) -> dict[str, FixedType]:
    """Exact types of the weights that a quantizer made, by hls4ml's names."""
    named = {"kernel": "weight", "recurrent_kernel": "recurrent_weight", "bias": "bias"}
    found = {
        what: to
        for (name, what), constant in zip(named.items(), constants, strict=False)
        if constant.quantizer is not None and (to := exact_type(arrays[name])) is not None
    }
    if kind == "GRU" and "bias" in found:
        found["recurrent_bias"] = found["bias"]
    return found


def _functions(graph: Graph, node: Node, count: int) -> list[dict[str, str]]:
    """The arguments that name functions, by direction."""
    usual = _DEFAULT[node["op"]]
    given = node["attributes"].get("activations") or usual * count
    if not isinstance(given, list) or len(given) != len(usual) * count:
        graph.refuse(node, f"activations must be {len(usual) * count} names")
    found = []
    for number in range(count):
        own = given[number * len(usual) : (number + 1) * len(usual)]
        for each in own:
            if each not in _FUNCTIONS:
                graph.refuse(node, f"the function {shown(each)} has no layer in a {node['op']}")
        if own[1:] != own[1:2] * (len(usual) - 1):
            graph.refuse(node, "another function for the result than for the cell has no layer")
        names = [_FUNCTIONS[str(each)] for each in own[:2]]
        arguments = ("activation",) if len(usual) == 1 else ("recurrent_activation", "activation")
        found.append(dict(zip(arguments, names, strict=True)))
    return found
