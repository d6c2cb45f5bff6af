"""Replaces one layer by several, for passes."""

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
    """Collects the layers that replace one layer; the last of them computes its result.

    The layer that does most of the work keeps the name, so that settings for the layer reach it.

    Attributes:
        layer: The layer to be replaced.
        given: Shapes of its inputs, without the batch.
        io: The io type of the hardware, "parallel" or "stream".
        readers: The number of layers and outputs that read it.
        taken: Names of all layers of the network; new names are added.
        made: The layers that replace it, in topological order.
        notes: Lines for the user that name the layer and say what replaces it.
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
        """The name of the only layer that the replaced layer reads."""
        (name,) = self.layer.inputs
        return name

    def shape(self, name: str) -> Shape:
        """The shape of an input of the layer, or of the result of a part of it."""
        return self._shapes[name]

    def axes(self, where: str, what: str) -> list[int]:
        """The axes in the layer's argument `axis`, counted from 1, in order.

        Args:
            where: The file and layer, to begin the message.
            what: What the layer does along the axes, for the message.

        Raises:
            InputError: if the input has no such axis.
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
        """Note for the user what replaces this layer."""
        self.notes.append(f"layer '{self.layer.label or self.layer.name}': {text}")

    def add(
        self,
        kind: str,
        what: str,
        *inputs: str,
        weights: dict[str, NDArray[Any]] | None = None,
        **arguments: Any,
    ) -> str:
        """Add a layer.

        Args:
            kind: Its class.
            what: What it does, appended to the replaced layer's name; "" to keep that name.
            inputs: Names of the layers that it reads.
            weights: Its arrays by name.
            arguments: Its arguments; those not given have Keras' defaults.

        Returns:
            The new layer's name.
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
        self,
        *inputs: str,
        weights: Mapping[str, NDArray[Any]] | None = None,
        over: int | None = None,
        **arguments: Any,
    ) -> str:
        """Add the layer itself with other inputs, arguments or weights, and return its name.

        `over` is then its own attribute of that name, unless it stays as it is.
        """
        layer = replace(
            self.layer,
            inputs=inputs or self.layer.inputs,
            arguments=MappingProxyType({**self.layer.arguments, **arguments}),
            weights=self.layer.weights if weights is None else MappingProxyType(dict(weights)),
            over=self.layer.over if over is None else over,
        )
        self.made.append(layer)
        self._shapes[layer.name] = shape_of(layer, [self._shapes[each] for each in layer.inputs])
        return layer.name

    def affine(
        self,
        what: str,
        source: str,
        scale: float | Sequence[float] | NDArray[Any],
        shift: float | Sequence[float] | NDArray[Any],
    ) -> str:
        """Add scale * x + shift, as a batch normalization, and return its name.

        Each constant is a number, or a number for each channel.
        """
        channels = self._shapes[source][-1]
        constant = {"gamma": scale, "beta": shift, "moving_mean": 0.0, "moving_variance": 1.0}
        weights = {key: np.full(channels, value, np.float32) for key, value in constant.items()}
        return self.add("BatchNormalization", what, source, weights=weights, epsilon=0.0)

    def at_most(self, source: str, limit: float, shift: float | None = None) -> str:
        """Add min(x, m) - m + shift, as shift - relu(m - x), and return the last layer's name.

        Args:
            source: The name of the layer that computes x.
            limit: m.
            shift: The greatest result; m if not given.
        """
        left = self.affine("left", source, -1, limit)
        left = self.add("Activation", "clip", left, activation="relu")
        return self.affine("up_to", left, -1, limit if shift is None else shift)

    def at_least(self, source: str, limit: float) -> str:
        """Add max(x, m), as m + relu(x - m), and return the last layer's name."""
        over = self.affine("over", source, 1, -limit)
        over = self.add("Activation", "floor", over, activation="relu")
        return self.affine("from", over, 1, limit)


#: Adds the parts that replace a layer, or none to keep it.
Rule = Callable[[Parts], None]


def rewritten(network: Network, rule: Rule, kinds: Sequence[str], io: str = "parallel") -> Network:
    """The network with layers replaced according to a rule.

    Args:
        network: The network.
        rule: Called with the parts of each layer; see `Rule`. If no part has the layer's own name,
            the last one gets it.
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
