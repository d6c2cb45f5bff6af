"""Reads ONNX and QONNX models as networks of Keras' and QKeras' layers.

A child process has qonnx simplify the model (`onnx_worker`). What it answers is untrusted: names
become those of layers only if they are identifiers, numbers are checked by the table of layers as
those of a Keras file are. `Quant` nodes become QKeras' quantizers, which compute the same: they
round half to even and saturate. Scales and normalizations that no fixed-point type holds go along
with a tensor as its `Meaning`, to the next quantizer (`onnx_scales`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.precision import exact_type
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.readers.child import read_file_in_child
from gatewright.frontend.readers.flatten import flatten
from gatewright.frontend.readers.onnx_graph import Constant, Graph, Node, Values
from gatewright.frontend.readers.onnx_layers import SHORT, has_short_type, is_short
from gatewright.frontend.readers.onnx_quantizers import Grid, grid, keeps_zeros, settle
from gatewright.frontend.readers.onnx_recurrent import OPERATORS
from gatewright.frontend.readers.onnx_scales import (
    PLAIN,
    Meaning,
    NoAffine,
    Steps,
    affine_steps,
    weighted,
)
from gatewright.frontend.readers.onnx_tensors import Tensors
from gatewright.frontend.readers.weights import with_weights
from gatewright.frontend.spread_kernels import dilated

_SCRIPT = str(Path(__file__).with_name("onnx_worker.py"))
#: Seconds for qonnx and the ONNX runtime to start and to fold constants on a busy machine.
_SECONDS = 120.0

#: Activations that Keras has under another name, by operator; looked up in tables.
_ACTIVATIONS = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Selu": "selu",
}
#: Operators of two tensors, by operator.
_MERGES = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum"}
#: Operators that only give elements another shape.
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
#: What to do about an operator that has no layer.
_ADVICE = {
    "QuantizeLinear": "QDQ graphs are not read; export from Brevitas with export_qonnx",
    "DequantizeLinear": "QDQ graphs are not read; export from Brevitas with export_qonnx",
    "FloatQuant": "minifloats have no fixed-point type",
}


def read_onnx(path: Path, inputs: FixedType, origin: str | None = None) -> Network:
    """Read an ONNX file.

    Args:
        path: The file.
        inputs: Type of its inputs, on which the constants of first quantizers may depend.
        origin: The model's name in messages; by default the file's.

    Raises:
        InputError: if it is damaged, too large, or refers to other files.
        UnsupportedError: if an operator has no layer that computes the same.
    """
    origin = origin or str(path)
    found = read_file_in_child(_SCRIPT, path, origin, "ONNX model", _SECONDS)
    return _Builder(Graph(origin, found), inputs).network()


class _Builder(Tensors):
    """Makes the layers of all nodes."""

    def network(self) -> Network:
        """The network of the whole graph."""
        graph = self.graph
        settle(graph)
        for name in graph.inputs:
            shape = [None, *graph.shape(name)[1:]]
            self._layer("InputLayer", self._named(name), {"batch_input_shape": shape}, [], name)
            least, most = (np.array([each]) for each in (self.inputs.min, self.inputs.max))
            self.steps[name] = Steps(least, most, self.inputs.frac)
        for node in graph.nodes:
            done = node["name"] in self.merged or all(
                each in graph.constants for each in node["outputs"]
            )
            if not done:
                with graph.read(node):
                    self._node(node)
        ends = [self._end(name) for name in graph.outputs]
        config = {
            "name": "model",
            "layers": self.layers,
            "input_layers": [[self.made[name], 0, 0] for name in graph.inputs],
            "output_layers": [[name, 0, 0] for name in ends],
        }
        architecture = {"class_name": "Functional", "config": config}
        flat = flatten(read_outline(graph.origin, architecture))
        network = with_weights(flat, self.weights, graph.origin)
        images = [name for name in graph.inputs[:1] if len(graph.shape(name)) > 2]
        if images and graph.channels_last:
            which = ", ".join(map(shown, images))
            self.notes.append(f"{which}: samples have their channels last, as the ports do")
        layers = tuple(self._typed(layer) for layer in network.layers)
        notes = (*network.notes, *self.notes)
        return replace(
            network,
            layers=layers,
            notes=notes,
            input_type=self.inputs if self.types else None,
        )

    def _typed(self, layer: Layer) -> Layer:
        return replace(layer, types=MappingProxyType(self.types.get(layer.name, {})))

    def _end(self, name: str) -> str:
        writer = self.graph.writers.get(name)
        if writer is None:
            raise UnsupportedError(f"{self.graph.origin}: '{shown(name)}' is made by no layer")
        return self._plain(name, writer, rounds=True)

    # Nodes

    def _node(self, node: Node) -> None:
        op = node["op"]
        if self._moves_units(node):
            return
        if op in ("Identity", "Dropout"):
            self._pass(node, self._meaning(node["inputs"][0]))
        elif op in _RESHAPES:
            batch, *target = self.graph.shape(node["outputs"][0]) or [0]
            if batch != self.graph.shape(node["inputs"][0])[0]:
                self.graph.refuse(
                    node,
                    "moves elements into the batch; keep it first and alone: attention as "
                    "products of matrices, not as PyTorch's own function",
                )
            self._rearranged(node, "Reshape", {"target_shape": target})
        elif op in _ACTIVATIONS:
            self._by_table(node, _ACTIVATIONS[op])
        elif (make := self._makers().get(op)) is not None:
            make(node)
        else:
            advice = f": {_ADVICE[op]}" if op in _ADVICE else ""
            self.graph.refuse(node, f"operator {shown(op)} has no layer{advice}")

    def _makers(self) -> dict[str, Callable[[Node], None]]:
        return {
            "Quant": self._quantization,
            "BipolarQuant": self._quantization,
            "Trunc": self._quantization,
            "Relu": self._relu,
            "MatMul": self._dense,
            "Conv": self._convolution,
            "BatchNormalization": self._normalization,
            "LayerNormalization": self._layer_normalization,
            "MaxPool": self._pooling,
            "AveragePool": self._pooling,
            "GlobalAveragePool": self._global_pooling,
            "Softmax": self._softmax,
            "LeakyRelu": self._leaky_relu,
            "PRelu": self._slopes,
            "Elu": self._elu,
            "Clip": self._clip,
            "ConvTranspose": self._transposed,
            "ReduceMean": self._reduced_mean,
            "Gather": self._gathered,
            "Pad": self._pad,
            **dict.fromkeys(("Resize", "Upsample"), self._resize),
            "Slice": self._slice,
            "Split": self._split,
            "Neg": self._negative,
            **dict.fromkeys(OPERATORS, self._recurrent),
            "Transpose": self._transpose,
            "Concat": self._concatenation,
            **dict.fromkeys((*_MERGES, "Div"), self._elementwise),
        }

    # Quantizers

    def _quantization(self, node: Node) -> None:
        name, to = node["inputs"][0], grid(self.graph, node)
        meaning, steps = self._meaning(name), self.steps.get(name)
        typed = to.has_type and to.scales.size == 1
        if typed and not meaning.of_quantizer and (is_short(meaning) or steps is None):
            source = self._plain(name, node)
            self._quantized(node, to, source, self._named(node["name"]), whole=False)
        else:
            self._by_steps(node, to, meaning, steps)

    def _quantized(self, node: Node, to: Grid, source: str, layer: str, *, whole: bool) -> None:
        """The layer of a quantizer; its numbers are whole, or times the quantizer's scale."""
        output = node["outputs"][0]
        quantizer = to.quantizer(whole=whole)
        self._layer("QActivation", layer, {"activation": quantizer}, [source], output)
        low, high = (-1, 1) if to.bipolar else to.limits
        self.steps[output] = Steps(np.array([low]), np.array([high]), 0 if whole else to.finest)
        if whole:
            scales = _by_channel(to.scales)
            self.meanings[output] = Meaning(scales, -to.zero * scales, of_quantizer=True)

    def _by_steps(self, node: Node, to: Grid, meaning: Meaning, steps: Steps | None) -> None:
        """A quantizer behind scales that no type holds: constants that have its steps."""
        if steps is None:
            self.graph.refuse(
                node,
                "its scale, or one before it, is no power of two, and what it reads has no known "
                "range; put a Quant before, too",
            )
        scales = _by_channel(to.scales)
        values = [
            (meaning.unit * each * 2.0**-steps.frac + meaning.offset) / scales
            for each in (steps.low, steps.high)
        ]
        to = to.fitted(np.concatenate([np.atleast_1d(each) for each in values]))
        try:
            found = affine_steps(
                meaning, steps, to.step, scales, to.limits, to.gain, ties=not to.bipolar
            )
        except NoAffine as error:
            self.graph.refuse(node, f"its scales can't be folded exactly: {error}")
        whole = not (to.has_type and to.scales.size == 1)
        scale, offset = found.scale, found.offset
        if to.bipolar:
            offset = offset - 0.5  # its steps are where the sign changes
        elif not whole:
            scale, offset = (np.ldexp(each, -to.finest) for each in (scale, offset))
        if found.near:
            self.notes.append(
                f"node '{shown(node['name'])}': values come so near to its rounding limits that "
                "float32 may round them the other way"
            )
        name = self._named(node["name"])
        source = self._source(node["inputs"][0], node)
        affine = f"{name}_scale"
        self._affine(affine, source, affine, scale, offset, self.graph.shape(node["outputs"][0]))
        self.types[affine] = {
            what: self._type(node, values) for what, values in (("scale", scale), ("bias", offset))
        }
        self._quantized(node, to, affine, name, whole=whole)

    def _type(self, node: Node, values: Values) -> FixedType:
        to = exact_type(values) if values.any() else FixedType(1, 1, signed=False)
        if to is None:
            self.graph.refuse(node, "its scales can't be folded exactly: they are too small")
        return to

    # Weighted sums

    def _dense(self, node: Node) -> None:
        if not any(name in self.graph.constants for name in node["inputs"]):
            self._product(node)
            return
        constant = self.graph.constant(node, 1, "the second factor")
        values = constant.values
        if values.ndim != 2:
            self.graph.refuse(node, "the second factor must be a matrix")
        config = {"units": int(values.shape[1])}
        self._weighted(node, _Kernel("Dense", config, constant, "kernel", values, values, axis=1))

    def _convolution(self, node: Node) -> None:
        graph = self.graph
        constant = graph.constant(node, 1, "the kernel")
        values, group = constant.values, graph.integer(node, "group", 1)
        axes = values.ndim - 2
        if not node["last"] or axes not in (1, 2):
            graph.refuse(node, "convolutions have one or two axes")
        channels, filters = graph.shape(node["inputs"][0])[-1], int(values.shape[0])
        config: dict[str, Any] = {
            "kernel_size": list(values.shape[1:-1]),
            "strides": graph.integers(node, "strides", axes, 1),
            "dilation_rate": graph.integers(node, "dilations", axes, 1),
            "padding": "valid",
        }
        if group == channels and group > 1:
            depth = filters // channels
            shaped = values.reshape(channels, depth, *values.shape[1:-1])
            array = shaped.transpose(*range(2, 2 + axes), 0, 1)
            kind, name = f"DepthwiseConv{axes}D", "depthwise_kernel"
            config |= {"depth_multiplier": depth}
        else:
            array = values.transpose(*range(1, axes + 2), 0)
            kind, name = f"Conv{axes}D", "kernel"
            config |= {"filters": filters, "groups": group}
        dilation = tuple(config["dilation_rate"])
        if max(config["strides"]) > 1 and max(dilation) > 1:  # Keras has one of them only
            if constant.quantizer is not None and not keeps_zeros(constant.quantizer):
                graph.refuse(node, "has strides, dilation, and weights of one bit; use two bits")
            array = dilated(array, dilation)
            config |= {"kernel_size": list(array.shape[:axes]), "dilation_rate": [1] * axes}
        matrix = values.reshape(filters, -1).T
        self._weighted(node, _Kernel(kind, config, constant, name, array, matrix, axis=0))

    def _weighted(self, node: Node, kernel: _Kernel) -> None:
        """A layer with a kernel, and with the bias that the node after it adds."""
        meaning, source, steps = self._summed(node, kernel)
        axes = kernel.constant.values.ndim - 2
        if axes and any(self.graph.integers(node, "pads", 2 * axes, 0)):
            if meaning.offset.any():
                self.graph.refuse(
                    node, "it pads what has a zero point; put a Quant without one before"
                )
            source = self._padded(node, source, axes)
            steps = steps and steps.with_zero
        sums = kernel.sums(steps)
        depth = kernel.units // max(meaning.unit.size, meaning.offset.size)
        units, offsets = (
            np.repeat(each, depth) if each.size > 1 else each
            for each in (meaning.unit, meaning.offset)
        )
        step = self._step_of(node, kernel)
        totals = kernel.matrix.astype(np.float64).sum(axis=0)
        result = Meaning(
            units * step,
            offsets * step * totals if offsets.any() else np.zeros(1),
            meaning.of_quantizer or kernel.constant.unit is not None,
        )
        bias, output = self._bias(node, kernel.units, result, sums)
        quantizer = kernel.constant.quantizer
        config, kind = dict(kernel.config), kernel.kind
        if quantizer is not None and kind != "DepthwiseConv1D":
            kind = f"Q{kind}"
            config[f"{kernel.name.removesuffix('_kernel')}_quantizer"] = quantizer
            if bias is not None:
                config["bias_quantizer"] = bias.quantizer
        arrays = {kernel.name: kernel.array}
        if bias is not None:
            arrays["bias"] = bias.values.reshape(-1)
            sums = sums and _with_bias(sums, bias)
        config["use_bias"] = bias is not None
        self._layer(kind, self._named(node["name"]), config, [source], output, arrays)
        self._means(output, result, sums)

    def _summed(self, node: Node, kernel: _Kernel) -> tuple[Meaning, str, Steps | None]:
        """What a weighted sum reads: the meaning of its numbers, their layer, and their range."""
        name = node["inputs"][0]
        meaning = self._meaning(name)
        if not meaning.of_quantizer:  # a normalization before it is a layer of its own
            steps = self.steps.get(name) if meaning.is_plain else None
            return PLAIN, self._plain(name, node), steps
        if kernel.constant.quantizer is None:
            self.graph.refuse(
                node, "its weights have no quantizer, and its input's scale is no power of two"
            )
        if not (meaning.is_uniform or kernel.name == "depthwise_kernel"):
            self.graph.refuse(
                node, "it sums up channels with different scales; put a Quant with one before"
            )
        return meaning, self._source(name, node), self.steps.get(name)

    def _step_of(self, node: Node, kernel: _Kernel) -> Values:
        """What a step of each result's weights stands for."""
        unit = kernel.constant.unit
        if unit is None:
            return np.ones(1)
        whole = np.ones(kernel.constant.values.shape) * unit
        first = np.moveaxis(whole, kernel.axis, 0).reshape(kernel.units, -1)
        if (first != first[:, :1]).any():
            self.graph.refuse(node, "the scales of its weights differ within a sum")
        return first[:, 0] if unit.size > 1 else first[:1, 0]

    def _bias(
        self, node: Node, units: int, result: Meaning, sums: Steps | None
    ) -> tuple[Constant | None, str]:
        """What the only reader adds to each unit's results, if that is so; and the tensor then.

        A bias that no short type holds is an offset of the results' meaning instead.
        """
        output = node["outputs"][0]
        added = self.graph.added(node)
        if added is None or not result.is_plain:
            return None, output
        after, bias = added
        if bias.values.size != units or bias.values.shape[-1:] != (units,):
            return None, output
        if bias.unit is not None or (sums is not None and not has_short_type(bias.values)):
            return None, output
        self.merged.add(after["name"])
        return bias, after["outputs"][0]

    # Scales and offsets of channels

    def _normalization(self, node: Node) -> None:
        if not node["last"] and len(self.graph.shape(node["inputs"][0])) > 2:
            self.graph.refuse(node, "normalizes an axis that is not the last one")
        gamma, beta, mean, variance = (
            self.graph.constant(node, index, name).real.reshape(-1)
            for index, name in enumerate(("gamma", "beta", "mean", "variance"), 1)
        )
        scale = gamma / np.sqrt(variance + self.graph.real_number(node, "epsilon", 1e-5))
        meaning = self._meaning(node["inputs"][0]).times(scale).plus(beta - mean * scale)
        self._scaled(node, node["inputs"][0], meaning)

    def _layer_normalization(self, node: Node) -> None:
        rank = len(self.graph.shape(node["inputs"][0]))
        if self.graph.integer(node, "axis", -1, least=-rank) not in (-1, rank - 1):
            self.graph.refuse(node, "LayerNormalization must be over the last axis")
        if len(node["outputs"]) > 1:
            self.graph.refuse(node, "only the first result of a LayerNormalization has a layer")
        arrays = {
            name: self.graph.constant(node, index, name).real.reshape(-1).astype(np.float32)
            for index, name in enumerate(("gamma", "beta")[: len(node["inputs"]) - 1], 1)
        }
        config = {
            "axis": [-1],
            "epsilon": self.graph.real_number(node, "epsilon", 1e-5),
            "center": "beta" in arrays,
            "scale": True,
        }
        self._simple(node, "LayerNormalization", config, [self._plain_input(node)])
        self.weights[node["name"],] = arrays

    def _elementwise(self, node: Node) -> None:
        """An operator of two tensors, or of a tensor and a constant of each channel."""
        op, constants = node["op"], self.graph.constants
        if not any(name in constants for name in node["inputs"]) and op in _MERGES:
            self._merge(node)
            return
        which = [name in constants for name in node["inputs"]]
        if sum(which) != 1 or len(which) != 2 or op in ("Max", "Min") or (op == "Div" and which[0]):
            self.graph.refuse(node, f"operator {op} has no layer for these inputs")
        constant = constants[node["inputs"][which.index(True)]]
        name = node["inputs"][which.index(False)]
        values = constant.real
        channels = self.graph.shape(node["outputs"][0])[-1]
        if values.size != 1 and (values.size != channels or values.shape[-1] != channels):
            self.graph.refuse(node, "its constant must be a number, or one for each channel")
        values, meaning = values.reshape(-1), self._meaning(name)
        if op == "Add":
            meaning = meaning.plus(values)
        elif op == "Sub":
            meaning = meaning.times(-np.ones(1)).plus(values) if which[0] else meaning.plus(-values)
        elif op == "Mul":
            meaning = meaning.times(values)
        else:
            if not values.all():
                self.graph.refuse(node, "divides by 0")
            of_two = bool((np.abs(np.frexp(values)[0]) == 0.5).all())
            meaning = meaning.times(1 / values, of_quantizer=not of_two)
        self._scaled(node, name, meaning)

    def _negative(self, node: Node) -> None:
        name = node["inputs"][0]
        self._scaled(node, name, self._meaning(name).times(-np.ones(1)))

    def _gathered(self, node: Node) -> None:
        """A step of a sequence, or rows of a table."""
        if node["inputs"][0] in self.graph.constants:
            self._embedding(node)
        else:
            self._step(node)

    def _scaled(self, node: Node, name: str, meaning: Meaning) -> None:
        """A tensor whose values are those of another, scaled and moved."""
        self._pass(node, meaning, name)
        self.scaling[node["outputs"][0]] = node["name"]

    def _merge(self, node: Node) -> None:
        """An operator of two tensors. Units are kept where both have the same."""
        graph, (first, second) = self.graph, node["inputs"]
        if graph.shape(first) != graph.shape(second):
            graph.refuse(node, "its inputs must have the same shape")
        meanings = [self._meaning(name) for name in (first, second)]
        adds = node["op"] in ("Add", "Sub")
        alike = np.array_equal(meanings[0].unit, meanings[1].unit) and node["op"] != "Mul"
        alike = alike and (adds or meanings[0].same_as(meanings[1]))
        if not adds and (meanings[0].unit < 0).any():
            alike = False
        of_quantizer = any(each.of_quantizer for each in meanings)
        if not (alike and of_quantizer):
            sources = [self._plain(name, node) for name in (first, second)]
            plain = all(each.is_plain for each in meanings)
            result, steps = PLAIN, self._merged_steps(node) if plain else None
        else:
            sources = [self._source(name, node) for name in (first, second)]
            sign = -1 if node["op"] == "Sub" else 1
            offset = meanings[0].offset + sign * meanings[1].offset if adds else meanings[0].offset
            result = Meaning(meanings[0].unit, offset, of_quantizer)
            steps = self._merged_steps(node)
        output = node["outputs"][0]
        self._layer(_MERGES[node["op"]], self._named(node["name"]), {}, sources, output)
        self._means(output, result, steps)

    def _merged_steps(self, node: Node) -> Steps | None:
        """The numbers that an operator of two tensors gives; None if that isn't known."""
        known = [self.steps.get(name) for name in node["inputs"]]
        if known[0] is None or known[1] is None or node["op"] == "Mul":
            return None
        frac = max(known[0].frac, known[1].frac)
        a, b = known[0].at(frac), known[1].at(frac)
        match node["op"]:
            case "Add":
                return Steps(a.low + b.low, a.high + b.high, frac)
            case "Sub":
                return Steps(a.low - b.high, a.high - b.low, frac)
            case "Max":
                return Steps(np.maximum(a.low, b.low), np.maximum(a.high, b.high), frac)
        return Steps(np.minimum(a.low, b.low), np.minimum(a.high, b.high), frac)

    # Activations

    def _relu(self, node: Node) -> None:
        """A ReLU; before an unsigned quantizer it is part of that."""
        name, after = node["inputs"][0], self.graph.only_reader(node)
        meaning, steps = self._meaning(name), self.steps.get(name)
        unsigned = after is not None and after["op"] == "Quant"
        if after is not None and unsigned and not after["attributes"].get("signed"):
            to = grid(self.graph, after)
            if not to.zero:
                self._pass(node, meaning)
                return
        config = {"activation": "relu"}
        positive = steps and Steps(np.maximum(steps.low, 0), np.maximum(steps.high, 0), steps.frac)
        if meaning.of_quantizer and not meaning.offset.any() and (meaning.unit > 0).all():
            self._simple(node, "Activation", config, [self._source(name, node)], meaning, positive)
        else:
            steps = positive if meaning.is_plain else None
            self._simple(node, "Activation", config, [self._plain(name, node)], PLAIN, steps)

    def _leaky_relu(self, node: Node) -> None:
        config = {"alpha": node["attributes"].get("alpha", 0.01)}
        self._simple(node, "LeakyReLU", config, [self._plain_input(node)])

    def _slopes(self, node: Node) -> None:
        """A slope for all that is negative, or one for each channel."""
        slopes, source = self.graph.constant(node, 1, "the slope").real, self._plain_input(node)
        if slopes.size == 1:
            self._simple(node, "LeakyReLU", {"alpha": float(slopes.reshape(()))}, [source])
            return
        shape = self.graph.shape(node["outputs"][0])[1:]
        alpha = np.broadcast_to(slopes, [1, *shape])[0].astype(np.float32)
        self._simple(node, "PReLU", {}, [source])
        self.weights[node["name"],] = {"alpha": np.ascontiguousarray(alpha)}

    def _elu(self, node: Node) -> None:
        alpha = self.graph.real_number(node, "alpha", 1.0)
        self._simple(node, "ELU", {"alpha": alpha}, [self._plain_input(node)])

    def _clip(self, node: Node) -> None:
        """Limits that a layer has: from -1 to 1, or from 0 up to any."""
        low, high = (
            float(self.graph.constant(node, index, what).real.reshape(()))
            if index < len(node["inputs"]) and node["inputs"][index]
            else self.graph.real_number(node, what, end)
            for index, what, end in ((1, "min", -np.inf), (2, "max", np.inf))
        )
        source = [self._plain_input(node)]
        if (low, high) == (-1, 1):
            self._simple(node, "Activation", {"activation": "hard_tanh"}, source)
        elif (low, high) == (0, np.inf):
            self._simple(node, "Activation", {"activation": "relu"}, source)
        elif low == 0 <= high:
            self._simple(node, "ReLU", {"max_value": high}, source)
        else:
            self.graph.refuse(node, f"Clip from {low} to {high} has no layer; use 0, or -1 to 1")

    def _by_table(self, node: Node, activation: str) -> None:
        """A function that hardware looks up: its input's scale may be rounded as the table is."""
        source = self._plain(node["inputs"][0], node, rounds=True)
        self._simple(node, "Activation", {"activation": activation}, [source])

    def _softmax(self, node: Node) -> None:
        rank = len(self.graph.shape(node["inputs"][0]))
        if self.graph.integer(node, "axis", -1, least=-rank) not in (-1, rank - 1):
            self.graph.refuse(node, "Softmax must be along the last axis")
        self._by_table(node, "softmax")

    # Windows

    def _pooling(self, node: Node) -> None:
        graph, name = self.graph, node["inputs"][0]
        shape = graph.shape(name)
        axes = len(shape) - 2
        if axes not in (1, 2):
            graph.refuse(node, "pooling has one or two axes")
        if any(each != 1 for each in graph.integers(node, "dilations", axes, 1)):
            graph.refuse(node, "pooling with dilation has no layer")
        size = graph.integers(node, "kernel_shape", axes, 1)
        strides = graph.integers(node, "strides", axes, 1)
        pads = graph.integers(node, "pads", 2 * axes, 0)
        image = shape[1:-1] if node["last"] else shape[2:]
        lengths = [n + pads[i] + pads[i + axes] for i, n in enumerate(image)]
        rest = [(n - k) % stride for n, k, stride in zip(lengths, size, strides, strict=True)]
        if graph.integer(node, "ceil_mode", 0) and any(rest):
            graph.refuse(node, "pooling with ceil_mode has no layer where windows leave the image")
        greatest = node["op"] == "MaxPool"
        pads_count = bool(node["attributes"].get("count_include_pad"))
        meaning, steps = self._meaning(name), self.steps.get(name)
        kept = meaning.of_quantizer and (not greatest or bool((meaning.unit > 0).all()))
        source = self._source(name, node) if kept else self._plain(name, node)
        if not kept:
            meaning, steps = PLAIN, steps if meaning.is_plain else None
        if any(pads):
            # Zeros around the image are as good as none where nothing is less than they are.
            zeros = pads_count if not greatest else steps is not None and (steps.low >= 0).all()
            if not zeros or not node["last"] or meaning.offset.any():
                graph.refuse(
                    node,
                    "pooling with pads has a layer for maxima of numbers of at least 0, and for "
                    "means that count the pads",
                )
            source = self._padded(node, source, axes)
        config = {
            "pool_size": size,
            "strides": strides,
            "data_format": "channels_last" if node["last"] else "channels_first",
        }
        kind = f"{'Max' if greatest else 'Average'}Pooling{axes}D"
        pooled = steps if greatest else _mean(steps, int(np.prod(size)))
        self._simple(node, kind, config, [source], meaning, pooled)

    def _global_pooling(self, node: Node, *, first: bool = True, keepdims: bool = True) -> None:
        """A mean over all pixels, whose channels come first, or last."""
        name = node["inputs"][0]
        shape = self.graph.shape(name)
        axes = len(shape) - 2
        if axes not in (1, 2):
            self.graph.refuse(node, "pooling has one or two axes")
        config = {
            "data_format": "channels_first" if first else "channels_last",
            "keepdims": keepdims,
        }
        meaning, steps = self._meaning(name), self.steps.get(name)
        kept = meaning.of_quantizer and meaning.is_uniform
        source = self._source(name, node) if kept else self._plain(name, node)
        if not kept:
            meaning, steps = PLAIN, steps if meaning.is_plain else None
        pixels = shape[2:] if first else shape[1:-1]
        pooled = _mean(steps and steps.uniform, int(np.prod(pixels)))
        self._simple(node, f"GlobalAveragePooling{axes}D", config, [source], meaning, pooled)

    def _reduced_mean(self, node: Node) -> None:
        """A mean over axes, which must be those of all pixels."""
        graph = self.graph
        rank = len(graph.shape(node["inputs"][0]))
        given: Any = node["attributes"].get("axes")
        if given is None:
            given = graph.constant(node, 1, "the axes").values.reshape(-1).tolist()
        axes = sorted(int(axis) % rank for axis in given)
        first = axes == list(range(2, rank))
        if not first and axes != list(range(1, rank - 1)):
            graph.refuse(node, f"a mean over axes {axes} has no layer; only over all pixels")
        keepdims = bool(graph.integer(node, "keepdims", 1))
        self._global_pooling(node, first=first, keepdims=keepdims)

    def _transposed(self, node: Node) -> None:
        """A transposed convolution, whose image has its channels first here."""
        graph, name = self.graph, node["name"]
        constant = graph.constant(node, 1, "the kernel")
        axes = constant.values.ndim - 2
        if axes not in (1, 2) or node["last"]:
            graph.refuse(node, "transposed convolutions have one or two axes")
        if constant.unit is not None or (constant.quantizer is not None and axes == 1):
            graph.refuse(
                node,
                "its weights have a quantizer, which a layer has in two axes only, with a scale "
                "that is a power of two",
            )
        if graph.integer(node, "group", 1) != 1 or "output_shape" in node["attributes"]:
            graph.refuse(node, "groups, or an output_shape, have no layer; leave them out")
        if node["attributes"].get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            graph.refuse(node, "auto_pad is not read; write its pads")
        arrays = {"kernel": np.moveaxis(constant.values, (1, 0), (-2, -1))}
        filters, output = int(constant.values.shape[1]), node["outputs"][0]
        added, bias = graph.added(node), None
        # qonnx writes the bias as a node of its own.
        if added is not None and added[1].values.shape == (1, filters, *[1] * axes):
            after, bias = added
            self.merged.add(after["name"])
            output = after["outputs"][0]
        if bias is not None:
            arrays["bias"] = bias.real.reshape(-1).astype(np.float32)
        config = {
            "filters": filters,
            "kernel_size": list(constant.values.shape[2:]),
            "strides": graph.integers(node, "strides", axes, 1),
            "dilation_rate": graph.integers(node, "dilations", axes, 1),
            "output_padding": graph.integers(node, "output_padding", axes, 0),
            "padding": "valid",
            "use_bias": bias is not None,
        }
        quantized = constant.quantizer is not None
        if quantized:
            config["kernel_quantizer"] = constant.quantizer
            if bias is not None and bias.unit is None:
                config["bias_quantizer"] = bias.quantizer
        source = self._plain_input(node)
        order = list(range(1, axes + 2))
        self._layer("Permute", f"{name}_last", {"dims": [*order[1:], 1]}, [source], f"{name}_last")
        kind = f"{'Q' if quantized else ''}Conv{axes}DTranspose"
        self._layer(kind, name, config, [f"{name}_last"], name, arrays)
        pads = graph.integers(node, "pads", 2 * axes, 0)
        ends = [[pads[axis], pads[axis + axes]] for axis in range(axes)]
        source = name
        if any(pads):
            cropping = {"cropping": ends if axes == 2 else ends[0]}
            source = f"{name}_cut"
            self._layer(f"Cropping{axes}D", source, cropping, [name], source)
        dims = {"dims": [order[-1], *order[:-1]]}
        self._layer("Permute", f"{name}_first", dims, [source], output)

    def _padded(self, node: Node, source: str, axes: int) -> str:
        """A layer with zeros around what a node reads."""
        pads = self.graph.integers(node, "pads", 2 * axes, 0)
        sides = [[pads[axis], pads[axis + axes]] for axis in range(axes)]
        name = f"{self._named(node['name'])}_pad"
        config = {"padding": sides if axes == 2 else sides[0]}
        self._layer(f"ZeroPadding{axes}D", name, config, [source], name)
        return name

    # Shapes

    def _transpose(self, node: Node) -> None:
        shape = self.graph.shape(node["inputs"][0])
        order = self.graph.integers(node, "perm", len(shape), 0)
        others = [axis for axis in order if axis]
        if len(others) != len(order) - 1:
            self.graph.refuse(node, "perm must have each axis once")
        self._rearranged(node, "Permute", {"dims": others})
        if order[0] != 0:
            self.sequences[node["outputs"][0]] = tuple(shape[axis] for axis in others)

    def _concatenation(self, node: Node) -> None:
        rank = len(self.graph.shape(node["inputs"][0]))
        axis = self.graph.integer(node, "axis", 1, least=-rank)
        if axis % rank == 0:
            self.graph.refuse(node, "joins batches")
        meanings = [self._meaning(name) for name in node["inputs"]]
        first = meanings[0]
        alike = first.is_uniform and all(each.same_as(first) for each in meanings)
        if alike and first.of_quantizer:
            sources, meaning = [self._source(name, node) for name in node["inputs"]], first
        else:
            sources, meaning = [self._plain(name, node) for name in node["inputs"]], PLAIN
            alike = all(each.is_plain for each in meanings)
        known = [self.steps.get(name) for name in node["inputs"]]
        steps = _union([each for each in known if each]) if alike and all(known) else None
        self._simple(node, "Concatenate", {"axis": axis}, sources, meaning, steps)


@dataclass(frozen=True)
class _Kernel:
    """The weights of a node that sums.

    Attributes:
        kind: Keras' class.
        config: Its arguments.
        constant: The weights as the file has them.
        name: Keras' name of the weights.
        array: The weights as Keras has them.
        matrix: The weights as (terms, results).
        axis: The file's axis of results.
    """

    kind: str
    config: dict[str, Any]
    constant: Constant
    name: str
    array: Values
    matrix: Values
    axis: int

    @property
    def units(self) -> int:
        """Number of results."""
        return int(self.matrix.shape[1])

    def sums(self, steps: Steps | None) -> Steps | None:
        """The range of the sums; None if it isn't known."""
        to = exact_type(self.constant.values)
        if steps is None or to is None or to.width > SHORT:
            return None
        return weighted(steps.uniform, np.ldexp(self.matrix.astype(np.float64), to.frac), to.frac)


def _by_channel(values: Values) -> Values:
    """Constants of channels as a vector."""
    return values.reshape(-1).astype(np.float64)


def _with_bias(sums: Steps, bias: Constant) -> Steps | None:
    """The range of sums and a bias; None if that has no type."""
    to = exact_type(bias.values)
    if to is None or to.width > SHORT:
        return None
    frac = max(sums.frac, to.frac)
    raised = sums.at(frac)
    added = np.ldexp(bias.values.reshape(-1).astype(np.float64), frac).astype(np.int64)
    return Steps(raised.low + added, raised.high + added, frac)


def _mean(steps: Steps | None, count: int) -> Steps | None:
    """The range of means; None if hardware rounds them."""
    bits = count.bit_length() - 1
    if steps is None or count != 1 << bits:
        return None
    return Steps(steps.low << bits, steps.high << bits, steps.frac + bits)


def _union(known: list[Steps]) -> Steps:
    frac = max(each.frac for each in known)
    raised = [each.uniform.at(frac) for each in known]
    low = np.min([each.low for each in raised], axis=0)
    high = np.max([each.high for each in raised], axis=0)
    return Steps(low, high, frac)
