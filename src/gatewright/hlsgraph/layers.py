"""A graph of hls4ml: its layers, each with the tensors that it reads and writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.hlsgraph.node import place, refusal
from gatewright.hlsgraph.precisions import is_sign, word_type
from gatewright.tensor import Tensor

_IO_TYPES = ("io_parallel", "io_stream")


@dataclass(frozen=True)
class Operand:
    """A tensor of hls4ml's graph.

    Attributes:
        name: Name of the output in hls4ml.
        shape: Shape without the batch.
        precision: Precision object of hls4ml.
        beat: Elements per beat of its stream.
        writer: Name of the node that writes it, for messages.
    """

    name: str
    shape: tuple[int, ...]
    precision: Any
    beat: int
    writer: str

    @property
    def is_sign(self) -> bool:
        """Whether its values are bits that mean -1 and +1."""
        return is_sign(self.precision)

    @property
    def type(self) -> FixedType:
        """The type of its words.

        Raises:
            UnsupportedError: if it is not a fixed-point type.
        """
        return word_type(self.precision, self.writer)

    @property
    def tensor(self) -> Tensor:
        """The tensor with its fixed-point type; raises as `type`."""
        return Tensor(self.name, self.shape, self.type)


@dataclass(frozen=True)
class Layer:
    """A node of hls4ml's graph with the tensors that it reads and writes.

    Attributes:
        node: Node of hls4ml; only modules of this package use its attributes.
        operands: Tensors that it reads.
        results: Tensors that it writes.
        streams: Whether its C++ is that for io_stream.
    """

    node: Any
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    streams: bool

    @property
    def name(self) -> str:
        """Name of the layer in hls4ml and in its traces."""
        return str(self.node.name)

    @property
    def kind(self) -> str:
        """Class name of the layer in hls4ml."""
        return str(self.node.class_name)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that it reads."""
        return tuple(each.tensor for each in self.operands)

    @cached_property
    def output(self) -> Tensor:
        """The tensor that it writes.

        Raises:
            UnsupportedError: if there are several, or its type is not fixed point.
        """
        if len(self.results) != 1:
            raise self.refuse(f"has {len(self.results)} outputs; one is supported")
        return self.results[0].tensor

    @property
    def pixels(self) -> int:
        """Number of pixels of the output: elements per channel."""
        shape = self.results[0].shape
        return math.prod(shape) // shape[-1]

    @property
    def has_sign_operands(self) -> bool:
        """Whether both its input and its weights are bits that mean -1 and +1."""
        weight = self.node.weights.get("weight")
        is_binary = weight is not None and is_sign(weight.type.precision)
        return is_binary and self.operands[0].is_sign

    def refuse(self, reason: str) -> UnsupportedError:
        """An error that names the layer and the reason."""
        return refusal(self.node, reason)


@dataclass(frozen=True)
class Graph:
    """A ModelGraph after its flow was applied.

    Attributes:
        name: Name of the project.
        layers: The layers, in the order of computation.
        inputs, outputs: The tensors of the model's inputs and outputs.
        unchanged: Names of outputs that are inputs of the model.
        streams: Whether its io type is io_stream.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    unchanged: tuple[str, ...]
    streams: bool


def read(graph: Any) -> Graph:
    """Read hls4ml's ModelGraph.

    Raises:
        UnsupportedError: if its io type is neither io_parallel nor io_stream.
    """
    io_type = graph.config.get_config_value("IOType")
    if io_type not in _IO_TYPES:
        raise UnsupportedError(
            f"io_type '{io_type}' is not supported; choose from {', '.join(_IO_TYPES)}"
        )
    streams = io_type == "io_stream"
    known: dict[str, Operand] = {}
    layers = []
    for node in graph.get_layers():
        names = () if node.class_name == "Input" else node.inputs
        layer = _layer(node, tuple(known[name] for name in names), streams)
        layers.append(layer)
        # Copies of a stream are other names of the same tensor.
        is_copy = node.class_name == "Clone"
        known |= {each.name: layer.operands[0] if is_copy else each for each in layer.results}
    arrays = {variable.name for variable in graph.get_input_variables()}
    results = zip(graph.outputs, graph.get_output_variables(), strict=True)
    return Graph(
        name=str(graph.config.get_project_name()),
        layers=tuple(layers),
        inputs=tuple(known[name] for name in graph.inputs),
        outputs=tuple(known[name] for name in graph.outputs),
        unchanged=tuple(str(name) for name, variable in results if variable.name in arrays),
        streams=streams,
    )


def _layer(node: Any, operands: tuple[Operand, ...], streams: bool) -> Layer:
    names = [str(name) for name in node.outputs]
    variables = (
        [node.get_output_variable()] if len(names) == 1 else [node.variables[n] for n in names]
    )
    results = []
    for name, variable in zip(names, variables, strict=True):
        shape = tuple(int(extent) for extent in variable.shape)
        precision, beat = variable.type.precision, shape[-1]
        if node.class_name == "Reshape":
            # The C++ has no separate array or stream for it.
            precision, beat = operands[0].precision, operands[0].beat
        results.append(Operand(name, shape, precision, beat, place(node)))
    return Layer(node, operands, tuple(results), streams)
