"""A network as data: every reader makes one from a file, and hls4ml gets nothing else.

Nothing in these classes is untrusted text: names are identifiers, arguments are numbers, words from
known lists, or lists and objects of these. `arguments.py` makes them of what a file says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from numpy.typing import NDArray

#: Longest name of a layer. Files are named by it.
MAX_NAME = 128

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Object:
    """An argument with arguments of its own: a quantizer, a type, a wrapped layer's setting.

    Attributes:
        kind: Name of its class, an identifier.
        arguments: By name, an identifier.
    """

    kind: str
    arguments: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))


#: An argument: strings are identifiers, or words that its own type lists.
Value = bool | int | float | str | None | tuple["Value", ...] | Object

Framework = Literal["keras2", "keras3"]

#: Arrays of a layer by name, `kernel` or `gamma`.
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Layer:
    """A layer.

    Attributes:
        name: An identifier, no other layer's.
        kind: Name of its class, one of the table's.
        inputs: Names of the layers that it reads, in order; none for an input of the network.
        arguments: What its class is told at inference, by name; all that the table lists.
        training: What matters in training only. Plain values and objects; never asked for the
            hardware.
        weights: Its arrays by name.
        label: What the model calls it, where that is another name: printable text, for people and
            for finding what a setting names. Nothing is named by it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    training: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    weights: Arrays = field(default_factory=lambda: MappingProxyType({}))
    label: str = ""


@dataclass(frozen=True)
class Network:
    """Layers in topological order.

    Attributes:
        origin: What the user calls the model: its file, or its name.
        layers: The layers, inputs among them.
        inputs: Names of the layers through which data comes in, in the order that the user gives
            data in.
        outputs: Names of the layers whose results the network gives, in order.
        name: Its own name.
        framework: In which it means what its owner meant: layers of Keras 2 (tf-keras, QKeras), or
            of Keras 3.
        notes: Replacements made by passes, a line each, for the user.
    """

    origin: str
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = "model"
    framework: Framework = "keras2"
    notes: tuple[str, ...] = ()

    @property
    def is_quantized(self) -> bool:
        """Whether it has quantizers, for which hls4ml needs QKeras, and so TensorFlow."""
        return any(
            layer.kind == "QActivation" or isinstance(value, Object)
            for layer in self.layers
            for value in layer.arguments.values()
        )

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)


def is_name(text: object) -> bool:
    """Whether something can name a layer, or a class: an identifier of at most `MAX_NAME` letters.

    ASCII letters, digits and _ only: these mean the same to C++, SystemVerilog, a shell and a
    terminal.
    """
    return (
        isinstance(text, str) and len(text) <= MAX_NAME and _IDENTIFIER.fullmatch(text) is not None
    )
