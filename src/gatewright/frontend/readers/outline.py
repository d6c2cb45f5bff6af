"""A model's architecture as a tree of layers, operations, wrappers and models, with their calls.

Unlike a network, the tree can have models within models, wrappers around layers, layers as
activations of others, layers that are called more than once, and operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType, MappingProxyType

from gatewright.frontend.network import Framework, Layer

#: The place of a part in the tree: labels of parts, from the outermost model's layers inwards.
Path = tuple[str, ...]


@dataclass(frozen=True)
class Ref:
    """A reference to a tensor, the result of a call of a layer.

    Attributes:
        layer: The layer's name in the file.
        call: The number of the call.
        result: The number of the result of that call.
    """

    layer: str
    call: int = 0
    result: int = 0


@dataclass(frozen=True)
class Slice:
    """A slice of an axis, as Python's."""

    start: int | None
    stop: int | None
    step: int | None


#: An argument of a call.
Given = Ref | Slice | EllipsisType | bool | int | float | str | None | tuple["Given", ...]


@dataclass(frozen=True)
class Call:
    """A call of a layer or an operation.

    Attributes:
        arguments: Positional arguments, in order.
        named: Named arguments.
    """

    arguments: tuple[Given, ...]
    named: Mapping[str, Given] = field(default_factory=lambda: MappingProxyType({}))

    def refs(self) -> Iterator[Ref]:
        """All tensors that it reads, in order."""
        waiting: list[Given] = [*self.arguments, *self.named.values()][::-1]
        while waiting:
            each = waiting.pop()
            if isinstance(each, Ref):
                yield each
            elif isinstance(each, tuple):
                waiting += each[::-1]


@dataclass(frozen=True)
class Part:
    """A layer, an operation, a wrapper or a model.

    Attributes:
        label: Its name in the file, printable text.
        kind: Name of its class, or of the function that an operation computes.
        layer: Its arguments, if it is a layer. The layer's name is still empty.
        is_operation: Whether it is an operation, which may have arguments other than tensors.
        settings: The settings of an operation that aren't arguments of its call.
        within: The parts that it contains, by attribute: `layers` of a model, `layer` of a
            wrapper, `activation` of a layer whose activation is a layer.
        calls: Its calls; none for an input.
        inputs: The labels of a model's input layers.
        outputs: The outputs of a model.
    """

    label: str
    kind: str
    layer: Layer | None = None
    is_operation: bool = False
    settings: Mapping[str, Given] = field(default_factory=lambda: MappingProxyType({}))
    within: Mapping[str, tuple[Part, ...]] = field(default_factory=lambda: MappingProxyType({}))
    calls: tuple[Call, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[Ref, ...] = ()

    @property
    def layers(self) -> tuple[Part, ...]:
        """The parts of a model."""
        return self.within.get("layers", ())

    @property
    def is_model(self) -> bool:
        """Whether it is a model."""
        return "layers" in self.within

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Part]]:
        """This part and all parts within it, each with its path."""
        yield path, self
        for parts in self.within.values():
            for part in parts:
                yield from part.walk((*path, part.label))


@dataclass(frozen=True)
class Outline:
    """A model's architecture.

    Attributes:
        origin: The model's name in messages.
        model: The outermost model.
        framework: The version of Keras that wrote it.
    """

    origin: str
    model: Part
    framework: Framework
