"""Sequences in an ONNX graph, whose steps may stand before the batch.

The batch has one sample here, so a node that moves only axes of one element changes nothing. Such
nodes are passed over until the batch is the first axis again.
"""

from __future__ import annotations

import math
from typing import Any

from gatewright.frontend.readers.onnx_graph import Node
from gatewright.frontend.readers.onnx_layers import Layers
from gatewright.frontend.readers.onnx_recurrent import OPERATORS, Way, ways

_MOVING = ("Transpose", "Squeeze", "Unsqueeze", "Reshape", "Flatten")


class Sequences(Layers):
    """Makes recurrent layers, and finds where their sequences go."""

    def _moves_units(self, node: Node) -> bool:
        """Pass over a node that moves only axes of one element, the batch's among them."""
        name, output = node["inputs"][0] if node["inputs"] else "", node["outputs"][0]
        if node["op"] not in _MOVING or name not in self.made:
            return False
        shape, result = (tuple(self.graph.shape(each)) for each in (name, output))
        if node["op"] == "Transpose":
            order: Any = node["attributes"].get("perm")
            moved = [axis for axis in order or () if axis < len(shape) and shape[axis] > 1]
            usual = name not in self.sequences and order and order[0] == 0
            if not order or moved != sorted(moved) or usual:
                return False
        elif name not in self.sequences:
            return False
        own = self.sequences.get(name, shape[1:])
        if math.prod(result) != math.prod(own):
            return False
        self._pass(node, self._meaning(name), anywhere=True)
        if result[:1] != (1,) or result[1:] != own:
            self.sequences[output] = own
        return True

    def _recurrent(self, node: Node) -> None:
        """A recurrent layer, in one direction or both."""
        graph, name, kind = self.graph, node["inputs"][0], OPERATORS[node["op"]]
        given = self.sequences.get(name)
        if given is None and graph.integer(node, "layout", 0) != 1:
            graph.refuse(
                node,
                "takes the first axis of an input for steps; with PyTorch, use batch_first=True",
            )
        source = self._plain(name, node, anywhere=True)
        read = given or tuple(graph.shape(name)[1:])
        if len(read) != 2:
            graph.refuse(node, f"reads a tensor of shape {read}, not steps of elements")
        steps, _ = read
        made, own = ways(graph, node), self._named(node["name"])
        all_steps, last, *cell = [*node["outputs"], "", ""][:3]
        if any(graph.is_read(each) for each in cell if each):
            graph.refuse(node, "the last state of its cell has no layer")
        units = made[0].config["units"]
        if len(made) == 2:
            if last and graph.is_read(last):
                graph.refuse(
                    node, "the last states of two directions have no layer; read its steps"
                )
            self._both(own, kind, made, source, all_steps)
            self.sequences[all_steps] = (steps, 2 * units)
            return
        (way,) = made
        config = dict(way.config)
        backwards = config["go_backwards"]
        config["return_sequences"] = bool(all_steps) and graph.is_read(all_steps)
        self._layer(kind, own, config, [source], all_steps, way.arrays)
        self._typed_as(own, way)
        if config["return_sequences"]:
            if backwards:
                self._layer("Gatewright>Reverse", f"{own}_turned", {}, [own], all_steps)
            self.sequences[all_steps] = (steps, units)
        if last and graph.is_read(last):
            self.made[last] = own
            if config["return_sequences"]:
                self._cut(f"{own}_last", own, (steps, units), steps - 1, last)
            self.sequences[last] = (units,)

    def _both(self, own: str, kind: str, made: list[Way], source: str, output: str) -> None:
        labels = [f"{way}_{own}" for way in ("forward", "backward")]
        layers = [
            {"class_name": kind, "config": {"name": label, **way.config}}
            for label, way in zip(labels, made, strict=True)
        ]
        config = {"layer": layers[0], "backward_layer": layers[1], "merge_mode": "concat"}
        self._layer("Bidirectional", own, config, [source], output)
        for label, way in zip(labels, made, strict=True):
            self.weights[own, label] = way.arrays
            self._typed_as(label, way)

    def _typed_as(self, layer: str, way: Way) -> None:
        if way.types:
            self.types[layer] = way.types

    def _step(self, node: Node) -> None:
        """One step of a sequence."""
        graph, name, output = self.graph, node["inputs"][0], node["outputs"][0]
        shape = tuple(graph.shape(name))
        index = graph.constant(node, 1, "the index").values
        axis = graph.integer(node, "axis", 0, least=-len(shape)) % len(shape)
        own = self.sequences.get(name, shape[1:])
        if index.size != 1 or name not in self.made:
            graph.refuse(node, "takes something other than one step of a sequence")
        if shape[axis] > 1 and (len(own) != 2 or math.prod(shape[:axis]) != 1):
            graph.refuse(node, "takes something other than one step of a sequence")
        source = self._plain(name, node, anywhere=True)
        result = tuple(graph.shape(output))
        if shape[axis] == 1:
            self.made[output] = source
        else:
            at = int(index.reshape(())) % own[0]
            if at == own[0] - 1 and (layer := self._only_read_here(source)) is not None:
                layer["config"]["return_sequences"] = False
                self.made[output] = source
            else:
                self._cut(self._named(node["name"]), source, own, at, output)
            own = own[1:]
        if result[:1] != (1,) or result[1:] != own:
            self.sequences[output] = own

    def _cut(self, name: str, source: str, shape: tuple[int, ...], at: int, output: str) -> None:
        """A step of a layer's sequence of that shape."""
        steps, elements = shape
        cropping = {"cropping": [at, steps - 1 - at]}
        self._layer("Cropping1D", f"{name}_cut", cropping, [source], f"{name}_cut")
        self._layer("Reshape", name, {"target_shape": [elements]}, [f"{name}_cut"], output)

    def _only_read_here(self, source: str) -> dict[str, Any] | None:
        """A recurrent layer whose steps go to the present node alone; else None."""
        layer = next(each for each in self.layers if each["name"] == source)
        tensors = [name for name, maker in self.made.items() if maker == source]
        alone = all(
            self.graph.count_readers(name) == 1 and name not in self.graph.outputs
            for name in tensors
        )
        read = any(
            source == read
            for each in self.layers
            for call in each["inbound_nodes"]
            for read, *_ in call
        )
        return layer if layer["class_name"] in OPERATORS.values() and alone and not read else None
