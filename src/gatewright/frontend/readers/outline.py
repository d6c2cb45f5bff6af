"""What the text of an architecture defines: layers, calls of them, and models of these, as a tree.

The tree keeps what a file has and a network has not: models within models, wrappers around layers,
layers as activations of others, layers that are called more than once, and operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType, MappingProxyType

from gatewright.frontend.network import Framework, Layer

#: Names of parts, from the model's own downwards: where an array belongs.
Path = tuple[str, ...]


@dataclass(frozen=True)
class Ref:
    """A tensor: what a call of a layer gives.

    Attributes:
        layer: What the file calls the layer.
        call: Which of its calls.
        result: Which of the call's results.
    """

    layer: str
    call: int = 0
    result: int = 0


@dataclass(frozen=True)
class Slice:
    """Elements of an axis."""

    start: int | None
    stop: int | None
    step: int | None


#: What a call is given.
Given = Ref | Slice | EllipsisType | bool | int | float | str | None | tuple["Given", ...]


@dataclass(frozen=True)
class Call:
    """A call of a layer or an operation.

    Attributes:
        arguments: In order.
        named: By name.
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
        label: What the file calls it: printable text.
        kind: Name of its class; of an operation, what it computes.
        layer: Its arguments, if it is a layer; named by nobody yet.
        is_operation: Whether it is called with other things than tensors.
        settings: What an operation is told beside its call.
        within: By attribute what it consists of: `layers` of a model, `layer` of a wrapper,
            `activation` of a layer that has one as a layer.
        calls: Where it is called; none for an input.
        inputs: Of a model, the layers through which data comes in.
        outputs: Of a model, what it gives.
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
        """Itself and all within it, each with its path."""
        yield path, self
        for parts in self.within.values():
            for part in parts:
                yield from part.walk((*path, part.label))


@dataclass(frozen=True)
class Outline:
    """A model's architecture.

    Attributes:
        origin: What the user calls the model.
        model: The model itself.
        framework: Which Keras wrote it.
    """

    origin: str
    model: Part
    framework: Framework
