"""The layers that nodes of an ONNX graph become, and what their numbers mean."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.messages import shown
from gatewright.frontend.network import is_name
from gatewright.frontend.precision import exact_type
from gatewright.frontend.readers.onnx_graph import Graph, Node, Values
from gatewright.frontend.readers.onnx_scales import PLAIN, Meaning, Steps

#: Bits of a constant up to which a type is made for it as it is.
SHORT: Final = 16


class Layers:
    """Layers, each in the form of Keras' own files, and the tensors that they make.

    Args:
        graph: The model.
        inputs: Type of its inputs.
    """

    def __init__(self, graph: Graph, inputs: FixedType) -> None:
        self.graph, self.inputs = graph, inputs
        self.layers: list[dict[str, Any]] = []
        self.weights: dict[tuple[str, ...], dict[str, Values]] = {}
        self.types: dict[str, dict[str, FixedType]] = {}
        self.notes: list[str] = []
        # By tensor: the layer that makes its numbers, what they mean and what they can be, the
        # layer that makes its values if these differ, and the node that a scale is of.
        self.made: dict[str, str] = {}
        self.meanings: dict[str, Meaning] = {}
        self.steps: dict[str, Steps] = {}
        self.scaled: dict[str, str] = {}
        self.scaling: dict[str, str] = {}
        self.merged: set[str] = set()  # names of nodes that are part of the layer before
        # Tensors whose first axis is not the batch's, with the shape of the layers' results.
        self.sequences: dict[str, tuple[int, ...]] = {}

    # Values

    def _meaning(self, name: str) -> Meaning:
        return self.meanings.get(name, PLAIN)

    def _source(self, name: str, node: Node, *, anywhere: bool = False) -> str:
        """The layer that makes a tensor's numbers.

        Args:
            name: The tensor.
            node: The node that reads it, for messages.
            anywhere: Whether the batch need not be its first axis.
        """
        if name not in self.made:
            self.graph.refuse(node, f"'{shown(name)}' is made by no layer")
        if name in self.sequences and not anywhere:
            self.graph.refuse(
                node,
                f"reads '{shown(name)}', whose first axis is not the batch's; keep it first: "
                "recurrent layers of PyTorch with batch_first=True, attention as products of "
                "matrices, not as PyTorch's own layer",
            )
        return self.made[name]

    def _plain_input(self, node: Node) -> str:
        """The layer that makes the values of a node's first input."""
        return self._plain(node["inputs"][0], node)

    def _plain(self, name: str, node: Node, *, rounds: bool = False, anywhere: bool = False) -> str:
        """The layer that makes a tensor's values: where scales are left, a normalization.

        Args:
            name: The tensor.
            node: The node that reads it, for messages.
            rounds: Whether even a quantizer's scale may be rounded, as constants of floats are.
            anywhere: Whether the batch need not be its first axis.
        """
        source, meaning = self._source(name, node, anywhere=anywhere), self._meaning(name)
        if meaning.is_plain:
            return source
        if meaning.of_quantizer and not (rounds or is_short(meaning)):
            self.graph.refuse(
                node,
                f"what it reads, '{shown(name)}', has a scale that is no power of two, and no "
                "Quant comes first that could take it",
            )
        if name not in self.scaled:
            layer = self._named(self.scaling.get(name) or f"{source}_scale")
            shape = self.graph.shape(name)
            self._affine(layer, source, layer, meaning.unit, meaning.offset, shape)
            self.scaled[name] = layer
            if meaning.of_quantizer and not is_short(meaning):
                self.notes.append(f"layer '{layer}': scales that are no powers of two are rounded")
        return self.scaled[name]

    def _means(self, output: str, meaning: Meaning, steps: Steps | None) -> None:
        """Keep what is known of a tensor's numbers."""
        if not meaning.is_plain:
            self.meanings[output] = meaning
        if steps is not None:
            self.steps[output] = steps

    def _pass(
        self, node: Node, meaning: Meaning, name: str = "", *, anywhere: bool = False
    ) -> None:
        """A tensor with the numbers of another; `anywhere` as for `_source`."""
        name, output = name or node["inputs"][0], node["outputs"][0]
        self.made[output] = self._source(name, node, anywhere=anywhere)
        self._means(output, meaning, self.steps.get(name))
        if name in self.scaling:
            self.scaling[output] = self.scaling[name]

    # Layers

    def _simple(
        self,
        node: Node,
        kind: str,
        config: dict[str, Any],
        sources: list[str],
        meaning: Meaning = PLAIN,
        steps: Steps | None = None,
    ) -> None:
        """A layer without weights."""
        output = node["outputs"][0]
        self._layer(kind, self._named(node["name"]), config, sources, output)
        self._means(output, meaning, steps)

    def _affine(
        self, name: str, source: str, output: str, scale: Values, offset: Values, shape: list[int]
    ) -> None:
        """A scale and an offset for each channel, as a normalization that changes nothing else."""
        parts = {
            "gamma": scale,
            "beta": offset,
            "moving_mean": np.zeros(1),
            "moving_variance": np.ones(1),
        }
        arrays = {
            key: np.ascontiguousarray(np.broadcast_to(each.reshape(-1), (shape[-1],)), np.float32)
            for key, each in parts.items()
        }
        config = {"axis": [-1], "epsilon": 0.0}
        self._layer("BatchNormalization", name, config, [source], output, arrays)

    def _layer(
        self,
        kind: str,
        name: str,
        config: dict[str, Any],
        sources: list[str],
        output: str,
        arrays: dict[str, Values] | None = None,
    ) -> None:
        inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
        self.layers.append(
            {
                "class_name": kind,
                "name": name,
                "config": {"name": name, **config},
                "inbound_nodes": inbound,
            }
        )
        if arrays:
            self.weights[name,] = arrays
        self.made[output] = name

    def _named(self, name: str) -> str:
        if not is_name(name):
            raise InputError(f"{self.graph.origin}: '{shown(name)}' can't be the name of a layer")
        return name


def has_short_type(values: Values) -> bool:
    """Whether a type of `SHORT` bits holds values exactly."""
    to = exact_type(values)
    return to is not None and to.width <= SHORT


def is_short(meaning: Meaning) -> bool:
    """Whether a layer's constants hold a meaning exactly."""
    return has_short_type(meaning.unit) and has_short_type(meaning.offset)
