"""How passes replace one layer by several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.kinds import KINDS
from gatewright.frontend.layer_names import identifier_of
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.shapes import Shape, shape_of, shapes_of


@dataclass
class Parts:
    """Makes the layers that stand for one layer; the last of them gives its result.

    The one that does most of its work has its name, so that settings for the layer reach it.

    Attributes:
        layer: What they stand for.
        given: Shapes of what it reads, without the batch.
        io: Which io type the hardware will have; "parallel" or "stream".
        readers: How many layers and outputs read it.
        notes: Lines for the user, each of which says what was done and of which layer.
    """

    layer: Layer
    given: list[Shape]
    io: str
    readers: int
    taken: set[str]
    made: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _shapes: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shapes = dict(zip(self.layer.inputs, self.given, strict=True))

    @property
    def source(self) -> str:
        """The only layer that it reads."""
        (name,) = self.layer.inputs
        return name

    def shape(self, name: str) -> Shape:
        """The shape of what the layer reads, or of what a part of it gives."""
        return self._shapes[name]

    def axes(self, where: str, what: str) -> list[int]:
        """The axes that its argument `axis` names, from 1 on, in order.

        Args:
            where: What the message begins with.
            what: What it does along them, for the message.

        Raises:
            InputError: if one isn't there.
        """
        rank = len(self.given[0])
        given: Any = self.layer.arguments["axis"]
        axes = sorted({axis if axis > 0 else rank + 1 + axis for axis in given})
        if not axes or not all(1 <= axis <= rank for axis in axes):
            raise InputError(
                f"{where}: {what} axes {list(given)}; those of its input are 1 to {rank}"
            )
        return axes

    def note(self, text: str) -> None:
        """Tell the user what replaces this layer."""
        self.notes.append(f"layer '{self.layer.label or self.layer.name}': {text}")

    def add(
        self,
        kind: str,
        what: str,
        *inputs: str,
        weights: dict[str, NDArray[Any]] | None = None,
        **arguments: Any,
    ) -> str:
        """Add a layer; arguments that aren't given are those that Keras has by default.

        Args:
            kind: Its class.
            what: What it does, for its name; "" for the one that has the layer's own.
            inputs: Names of the layers that it reads.
            weights: Its arrays by name.
            arguments: Its arguments.

        Returns:
            Its name.
        """
        name = self.layer.name
        if what:
            name = identifier_of(f"{name}_{what}", self.taken)
            self.taken.add(name)
        known = {
            key: argument.default
            for key, argument in KINDS[kind].arguments.items()
            if not argument.required
        }
        layer = Layer(
            name,
            kind,
            inputs,
            MappingProxyType({**known, **arguments}),
            weights=MappingProxyType(weights or {}),
            label="" if what else self.layer.label,
        )
        self.made.append(layer)
        self._shapes[name] = shape_of(layer, [self._shapes[each] for each in inputs])
        return name

    def keep(
        self, *inputs: str, weights: Mapping[str, NDArray[Any]] | None = None, **arguments: Any
    ) -> str:
        """Add the layer itself, which reads something else, or has other arguments or weights."""
        layer = replace(
            self.layer,
            inputs=inputs or self.layer.inputs,
            arguments=MappingProxyType({**self.layer.arguments, **arguments}),
            weights=self.layer.weights if weights is None else MappingProxyType(dict(weights)),
        )
        self.made.append(layer)
        self._shapes[layer.name] = shape_of(layer, [self._shapes[each] for each in layer.inputs])
        return layer.name

    def affine(
        self,
        what: str,
        source: str,
        scale: float | Sequence[float],
        shift: float | Sequence[float],
    ) -> str:
        """Add scale * x + shift, as a batch normalization: the only layer that does it.

        Either constant is a number, or one for each channel.
        """
        channels = self._shapes[source][-1]
        constant = {"gamma": scale, "beta": shift, "moving_mean": 0.0, "moving_variance": 1.0}
        weights = {key: np.full(channels, value, np.float32) for key, value in constant.items()}
        return self.add("BatchNormalization", what, source, weights=weights, epsilon=0.0)

    def at_most(self, source: str, limit: float, shift: float | None = None) -> str:
        """Add min(x, m) - m + shift, which is shift less what a relu leaves of m - x.

        Args:
            source: The layer that gives x.
            limit: m.
            shift: What m becomes; m itself if not given.
        """
        left = self.affine("left", source, -1, limit)
        left = self.add("Activation", "clip", left, activation="relu")
        return self.affine("up_to", left, -1, limit if shift is None else shift)

    def at_least(self, source: str, limit: float) -> str:
        """Add max(x, m), which is m and what a relu leaves of x - m."""
        over = self.affine("over", source, 1, -limit)
        over = self.add("Activation", "floor", over, activation="relu")
        return self.affine("from", over, 1, limit)


#: Adds the parts of a layer, or none where it stays.
Rule = Callable[[Parts], None]


def rewritten(network: Network, rule: Rule, kinds: Sequence[str], io: str = "parallel") -> Network:
    """The network with layers replaced by what a rule makes of them.

    Args:
        network: The network.
        rule: Adds the parts, one of them under the layer's own name; none to leave it as it is.
        kinds: Classes of layers that the rule looks at.
        io: "parallel" or "stream".
    """
    if not any(layer.kind in kinds for layer in network.layers):
        return network
    shapes = shapes_of(network)
    taken = {layer.name for layer in network.layers}
    stands_for: dict[str, str] = {}
    layers: list[Layer] = []
    notes: list[str] = []
    for layer in network.layers:
        moved = replace(layer, inputs=tuple(stands_for.get(name, name) for name in layer.inputs))
        made: list[Layer] = []
        if layer.kind in kinds:
            given = [shapes[name] for name in layer.inputs]
            readers = sum(each.inputs.count(layer.name) for each in network.layers)
            readers += network.outputs.count(layer.name)
            parts = Parts(moved, given, io, readers, taken)
            rule(parts)
            made = parts.made
            notes += parts.notes
        if made and all(part.name != layer.name for part in made):
            made[-1] = replace(made[-1], name=layer.name, label=layer.label)
        layers += made or [moved]
        stands_for[layer.name] = layers[-1].name
    outputs = tuple(stands_for[name] for name in network.outputs)
    notes = [*network.notes, *notes]
    return replace(network, layers=tuple(layers), outputs=outputs, notes=tuple(notes))
