"""Nodes of an ONNX graph that take tensors apart, repeat or surround them, or multiply two."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gatewright.frontend.readers.onnx_graph import Node, Values
from gatewright.frontend.readers.onnx_scales import PLAIN, Meaning, Steps
from gatewright.frontend.readers.onnx_sequences import Sequences

#: How `Resize` rounds places between pixels (ONNX, Operators, Resize).
_ROUNDINGS: Final[dict[str, Callable[[Values], Values]]] = {
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


class Tensors(Sequences):
    """Makes the layers of such nodes."""

    def _images(self, node: Node, changed: list[int]) -> tuple[str, int]:
        """Where the channels of images are that a node changes along some axes, and their axes.

        Args:
            node: The node.
            changed: The axes that it changes; the batch is axis 0.
        """
        rank = len(self.graph.shape(node["inputs"][0]))
        if rank not in (3, 4):
            self.graph.refuse(node, f"has a layer for tensors of 3 and 4 axes, not {rank}")
        if all(axis >= 2 for axis in changed) and (rank == 4 or changed == [2]):
            return "channels_first", rank - 2
        if not all(1 <= axis < rank - 1 for axis in changed):
            self.graph.refuse(node, "has a layer for rows and columns of images alone")
        return "channels_last", rank - 2

    def _on_images(
        self, node: Node, source: str, layout: str, kind: str, config: dict[str, Any]
    ) -> None:
        """A layer of images, or of sequences between permutations if their channels are first."""
        name, output = self._named(node["name"]), node["outputs"][0]
        if kind.endswith("2D"):
            config = {**config, "data_format": layout}
        elif layout == "channels_first":
            self._layer("Permute", f"{name}_last", {"dims": [2, 1]}, [source], f"{name}_last")
            self._layer(kind, name, config, [f"{name}_last"], name)
            self._layer("Permute", f"{name}_first", {"dims": [2, 1]}, [name], output)
            return
        self._layer(kind, name, config, [source], output)

    def _pad(self, node: Node) -> None:
        """Zeros around images."""
        graph = self.graph
        if node["attributes"].get("mode", "constant") != "constant":
            graph.refuse(node, "pads with other numbers than zeros, which has no layer")
        given = len(node["inputs"])
        rank = len(graph.shape(node["inputs"][0]))
        pads = self._numbers(node, 1, "pads")
        value = node["attributes"].get("value", 0.0)
        if given > 2 and node["inputs"][2]:
            value = graph.number(node, 2, "value")
        axes = list(range(rank))
        if given > 3 and node["inputs"][3]:
            axes = [int(axis) % rank for axis in graph.constant(node, 3, "the axes").values]
        if value != 0 or len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
            graph.refuse(node, "pads with other numbers than zeros, or takes some away")
        sides = dict(zip(axes, zip(pads, pads[len(axes) :], strict=False), strict=True))
        changed = sorted(axis for axis in axes if any(sides[axis]))
        if not changed:
            self._pass(node, self._meaning(node["inputs"][0]))
            return
        layout, count = self._images(node, changed)
        first = 2 if layout == "channels_first" else 1
        around = [list(sides.get(axis, (0, 0))) for axis in range(first, first + count)]
        config = {"padding": around if count == 2 else around[0]}
        known = self.steps.get(node["inputs"][0])
        plain = self._meaning(node["inputs"][0]).is_plain
        self._on_images(node, self._plain_input(node), layout, f"ZeroPadding{count}D", config)
        if plain and known is not None:
            self.steps[node["outputs"][0]] = known.with_zero

    def _numbers(self, node: Node, index: int, key: str) -> list[int]:
        """Integers that newer versions of an operator have as an input, older ones by name."""
        if index < len(node["inputs"]) and node["inputs"][index]:
            values = self.graph.constant(node, index, key).values.reshape(-1)
            return [int(each) for each in values]
        found: Any = node["attributes"].get(key, [])
        return [int(each) for each in found]

    def _resize(self, node: Node) -> None:
        """Pixels repeated a whole number of times."""
        graph, attributes = self.graph, node["attributes"]
        before, after = graph.shape(node["inputs"][0]), graph.shape(node["outputs"][0])
        if attributes.get("mode", "nearest") != "nearest":
            graph.refuse(node, "interpolates, which has no layer; use nearest")
        factors = [new // old for old, new in zip(before, after, strict=True)]
        changed = [axis for axis, factor in enumerate(factors) if factor != 1]
        for old, new, factor in zip(before, after, factors, strict=True):
            places = _places(node, old, new)
            if new != old * factor or (places != np.arange(new) // max(factor, 1)).any():
                graph.refuse(node, "repeats some pixels more often than others")
        if not changed:
            self._pass(node, self._meaning(node["inputs"][0]))
            return
        layout, count = self._images(node, changed)
        first = 2 if layout == "channels_first" else 1
        size = factors[first : first + count]
        source, meaning, steps = self._unmixed(node)
        config = {"size": size if count == 2 else size[0]}
        self._on_images(node, source, layout, f"UpSampling{count}D", config)
        self._means(node["outputs"][0], meaning, steps)

    def _unmixed(self, node: Node) -> tuple[str, Meaning, Steps | None]:
        """What a node reads that moves elements: they keep their meaning if all have the same."""
        name = node["inputs"][0]
        meaning, steps = self._meaning(name), self.steps.get(name)
        if meaning.of_quantizer and meaning.is_uniform:
            return self._source(name, node), meaning, steps and steps.uniform
        source = self._plain(name, node)
        return source, PLAIN, steps.uniform if steps is not None and meaning.is_plain else None

    def _rearranged(self, node: Node, kind: str, config: dict[str, Any]) -> None:
        """A layer that moves elements."""
        source, meaning, steps = self._unmixed(node)
        self._simple(node, kind, config, [source], meaning, steps)

    # Parts

    def _slice(self, node: Node) -> None:
        """Elements that follow each other along axes."""
        graph, rank = self.graph, len(self.graph.shape(node["inputs"][0]))
        starts, ends = (self._numbers(node, i, key) for i, key in ((1, "starts"), (2, "ends")))
        axes = self._numbers(node, 3, "axes") or list(range(len(starts)))
        steps = self._numbers(node, 4, "steps") or [1] * len(starts)
        shape = graph.shape(node["inputs"][0])
        parts: dict[int, tuple[int, int]] = {}
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if step != 1:
                graph.refuse(node, "takes elements apart from each other, which has no layer")
            parts[axis % rank] = slice(start, end).indices(shape[axis % rank])[:2]
        self._taken(node, parts, self._named(node["name"]), node["outputs"][0])

    def _split(self, node: Node) -> None:
        """All parts of a tensor along an axis."""
        graph, shape = self.graph, self.graph.shape(node["inputs"][0])
        axis = graph.integer(node, "axis", 0, least=-len(shape)) % len(shape)
        begin = 0
        for number, output in enumerate(node["outputs"]):
            end = begin + graph.shape(output)[axis]
            name = self._named(f"{node['name']}_{number}")
            if graph.is_read(output):
                self._taken(node, {axis: (begin, end)}, name, output)
            begin = end

    def _taken(self, node: Node, parts: dict[int, tuple[int, int]], name: str, output: str) -> None:
        """The elements from one place to another along axes, by axis; the batch is axis 0."""
        shape = list(self.graph.shape(node["inputs"][0]))
        source, meaning, steps = self._unmixed(node)
        for axis, (begin, end) in parts.items():
            if (begin, end) == (0, shape[axis]):
                continue
            if not axis:
                self.graph.refuse(node, "takes parts of the batch")
            # As an image whose columns are the axis' elements.
            columns = [math.prod(shape[1:axis]), shape[axis], math.prod(shape[axis + 1 :])]
            cropping = [[0, 0], [begin, shape[axis] - end]]
            shape[axis] = end - begin
            flat, cut, back = (f"{name}_{what}{axis}" for what in ("columns", "cut", "back"))
            self._layer("Reshape", flat, {"target_shape": columns}, [source], flat)
            self._layer("Cropping2D", cut, {"cropping": cropping}, [flat], cut)
            self._layer("Reshape", back, {"target_shape": shape[1:]}, [cut], back)
            source = back
        self.made[output] = source
        self._means(output, meaning, steps)

    # Two tensors

    def _product(self, node: Node) -> None:
        """The product of two tensors, matrix by matrix."""
        graph = self.graph
        first, second = (graph.shape(name) for name in node["inputs"])
        if len(first) != len(second) or len(first) < 3 or first[:-2] != second[:-2]:
            graph.refuse(node, f"multiplies tensors of shapes {first} and {second}")
        outer = string.ascii_lowercase[3 : 3 + len(first) - 3]
        sources = [self._plain(name, node) for name in node["inputs"]]
        config = {"equation": f"{outer}ab,{outer}bc->{outer}ac"}
        self._simple(node, "Gatewright>Einsum", config, sources)

    def _embedding(self, node: Node) -> None:
        """Rows of a constant matrix, by their numbers."""
        table = self.graph.constant(node, 0, "the table")
        if table.values.ndim != 2 or self.graph.integer(node, "axis", 0) or table.unit is not None:
            self.graph.refuse(node, "has a layer where it takes rows of a matrix")
        rows, columns = table.values.shape
        source = self._plain(node["inputs"][1], node)
        config = {"input_dim": int(rows), "output_dim": int(columns)}
        self._simple(node, "Embedding", config, [source])
        self.weights[node["name"],] = {"embeddings": table.values.astype(np.float32)}


def _places(node: Node, old: int, new: int) -> Values:
    """Which pixel of an axis each new pixel is, by ONNX' definition of `Resize`.

    Args:
        node: The node, of type `Resize` or its older `Upsample`.
        old: Pixels of the axis.
        new: Pixels of its result.
    """
    attributes, number = node["attributes"], np.arange(new, dtype=np.float64)
    older = node["op"] == "Upsample"
    way = "asymmetric" if older else attributes.get("coordinate_transformation_mode", "half_pixel")
    scale = new / old
    match way:
        case "asymmetric":
            places = number / scale
        case "align_corners":
            places = number * (old - 1) / (new - 1) if new > 1 else 0 * number
        case "half_pixel" | "half_pixel_symmetric" | "pytorch_half_pixel":
            places = (number + 0.5) / scale - 0.5
            if way == "pytorch_half_pixel" and new == 1:
                places = 0 * number
        case _:
            raise ValueError(f"a way to place pixels named {way}")
    rounding = "floor" if older else str(attributes.get("nearest_mode", "round_prefer_floor"))
    found: Values = np.clip(_ROUNDINGS[rounding](places), 0, old - 1)
    return found
