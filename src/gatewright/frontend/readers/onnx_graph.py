"""The graph that `onnx_worker` answers: nodes and constants, checked when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.messages import shown
from gatewright.frontend.readers.child import Contents
from gatewright.parsing.typed import decode

Values = NDArray[Any]
Quantizer = dict[str, Any]


@with_config(ConfigDict(extra="forbid"))
class Node(TypedDict):
    """A node, as the worker describes it.

    `last` says whether its images have their channels last.
    """

    op: str
    last: bool
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, int | float | str | list[int | float | str]]


@with_config(ConfigDict(extra="forbid"))
class _GraphText(TypedDict):
    channels_last: bool
    inputs: list[str]
    outputs: list[str]
    nodes: list[Node]
    shapes: dict[str, list[int]]


@dataclass(frozen=True)
class Constant:
    """A constant tensor.

    Attributes:
        values: Its values as they are used; if it has a `unit`, in whole steps of that.
        quantizer: QKeras' quantizer whose values they are; None if they went through none.
        unit: What a step stands for where that is no power of two, in a shape that broadcasts
            with the values; else None.
    """

    values: Values
    quantizer: Quantizer | None = None
    unit: Values | None = None

    @property
    def real(self) -> Values:
        """The values, float64."""
        values = self.values.astype(np.float64)
        return values if self.unit is None else values * self.unit


class Graph:
    """Nodes, shapes and constants of a model.

    Args:
        origin: The model's name in messages.
        found: The worker's answer.

    Attributes:
        constants: Constants by tensor.
        channels_last: Whether the first input, if it is an image, has its channels last, where the
            file has them first.

    Raises:
        InputError: if the answer is not a graph.
    """

    def __init__(self, origin: str, found: Contents) -> None:
        self.origin = origin
        try:
            text = decode(_GraphText, found.attributes["graph"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{origin}: not a readable ONNX model ({shown(error)})") from None
        self.inputs, self.outputs, self.nodes = text["inputs"], text["outputs"], text["nodes"]
        self._shapes = text["shapes"]
        self.channels_last = text["channels_last"]
        self.constants = {name: Constant(values) for name, values in found.arrays.items()}
        self._readers: dict[str, list[Node]] = {}
        self.writers = {name: node for node in self.nodes for name in node["outputs"]}
        for node in self.nodes:
            for name in node["inputs"]:
                self._readers.setdefault(name, []).append(node)

    def shape(self, name: str) -> list[int]:
        """Shape of a tensor, the batch included; empty if unknown."""
        return self._shapes.get(name, [])

    def is_read(self, name: str) -> bool:
        """Whether a node reads a tensor, or it is an output."""
        return bool(self._readers.get(name)) or name in self.outputs

    def count_readers(self, name: str) -> int:
        """The number of times that nodes read a tensor."""
        return len(self._readers.get(name, []))

    def only_reader(self, node: Node) -> Node | None:
        """The only node that reads a node's result, if that is no output; else None."""
        readers = self._readers.get(node["outputs"][0], [])
        leaves = node["outputs"][0] in self.outputs
        return readers[0] if len(readers) == 1 and not leaves else None

    def added(self, node: Node) -> tuple[Node, Constant] | None:
        """The `Add` that alone reads a node's result, and the constant that it adds; or None."""
        after = self.only_reader(node)
        if after is None or after["op"] != "Add":
            return None
        others = [name for name in after["inputs"] if name != node["outputs"][0]]
        constant = self.constants.get(others[0]) if len(others) == 1 else None
        return None if constant is None else (after, constant)

    def integer(self, node: Node, key: str, default: int, *, least: int = 0) -> int:
        """An attribute that must be an integer."""
        found = node["attributes"].get(key, default)
        if not isinstance(found, int) or found < least:
            self.refuse(node, f"{key} must be an integer of at least {least}")
        return found

    def integers(self, node: Node, key: str, count: int, default: int) -> list[int]:
        """An attribute that must be so many integers of at least 0."""
        found = node["attributes"].get(key, [default] * count)
        if not isinstance(found, list) or len(found) != count:
            self.refuse(node, f"{key} must be {count} integers")
        if not all(isinstance(each, int) and each >= 0 for each in found):
            self.refuse(node, f"{key} must be {count} integers of at least 0")
        return [int(each) for each in found]

    def real_number(self, node: Node, key: str, default: float) -> float:
        """An attribute that must be a number."""
        found = node["attributes"].get(key, default)
        if not isinstance(found, int | float):
            self.refuse(node, f"{key} must be a number")
        return found

    def number(self, node: Node, index: int, what: str) -> float:
        """An input that must be a constant with one value."""
        values = np.unique(self.constant(node, index, what).real)
        if values.size != 1:
            self.refuse(node, f"its {what} differs from channel to channel, which has no type")
        return float(values[0])

    def constant(self, node: Node, index: int, what: str) -> Constant:
        """An input that must be constant."""
        found = self.constants.get(node["inputs"][index]) if index < len(node["inputs"]) else None
        if found is None:
            self.refuse(node, f"{what} must be constant")
        return found

    @contextmanager
    def read(self, node: Node) -> Iterator[None]:
        """Within this context, whatever a node's text makes fail is refused with its name."""
        try:
            yield
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            self.refuse(node, f"is not as its operator is defined ({shown(error)})")

    def refuse(self, node: Node, why: str) -> NoReturn:
        """Raise an UnsupportedError that names a node."""
        raise UnsupportedError(f"{self.origin}: node '{shown(node['name'])}': {why}")
