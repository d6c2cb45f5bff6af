"""A network as data: every reader of files makes one, and hls4ml gets nothing else.

No field of these classes but `label` holds untrusted text. Names are identifiers; arguments are
numbers, words from known lists, or lists and objects of these. `arguments.py` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from numpy.typing import NDArray

from gatewright.fixed import FixedType

#: Longest name of a layer, in characters. Files are named after layers.
MAX_NAME = 128

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Object:
    """An argument with arguments of its own: a quantizer, a type, a wrapped layer's setting.

    Attributes:
        kind: Name of its class, an identifier.
        arguments: By name, which is an identifier.
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
        name: An identifier, unique in the network.
        kind: Name of its class, a key of `kinds.KINDS`.
        inputs: Names of the layers that it reads, in order; none for an input of the network.
        arguments: Arguments that matter at inference, by name; all that the table lists.
        training: Settings that matter in training only, by name. The hardware never depends on
            them.
        weights: Its arrays by name.
        label: The model's own name of the layer if it had to be renamed, else "". Printable text,
            used in messages and to look up settings; never for names of files or in code.
        types: Types that its weights must have, by hls4ml's names of these. They matter when the
            network is converted, and are not recorded with it.
        over: Leading axes of its inputs, without the batch, to whose elements it is applied alike:
            the number of Keras' TimeDistributed around it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    training: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    weights: Arrays = field(default_factory=lambda: MappingProxyType({}))
    label: str = ""
    types: Mapping[str, FixedType] = field(default_factory=lambda: MappingProxyType({}))
    over: int = 0


@dataclass(frozen=True)
class Network:
    """Layers in topological order.

    Attributes:
        origin: The model's name in messages: its file, or its name.
        layers: The layers, including inputs.
        inputs: Names of the input layers, in the order of the user's data.
        outputs: Names of the layers whose results are the network's outputs, in order.
        name: The network's own name.
        framework: The framework that defines its layers: Keras 2 (tf-keras, QKeras) or Keras 3.
        notes: Lines for the user about the replacements that passes made.
        input_type: The type of inputs that constants were made for; None if none depends on it.
    """

    origin: str
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = "model"
    framework: Framework = "keras2"
    notes: tuple[str, ...] = ()
    input_type: FixedType | None = None

    @property
    def is_quantized(self) -> bool:
        """Whether it has quantizers. hls4ml needs QKeras for them, and so TensorFlow."""
        return any(
            layer.kind == "QActivation" or isinstance(value, Object)
            for layer in self.layers
            for value in layer.arguments.values()
        )

    def layer(self, name: str) -> Layer:
        """The layer with that name."""
        return next(layer for layer in self.layers if layer.name == name)


def is_name(text: object) -> bool:
    """Whether a value can be the name of a layer or class.

    It must be an identifier of at most `MAX_NAME` ASCII letters, digits and _. These are harmless
    in C++, SystemVerilog, a shell and a terminal.
    """
    return (
        isinstance(text, str) and len(text) <= MAX_NAME and _IDENTIFIER.fullmatch(text) is not None
    )
