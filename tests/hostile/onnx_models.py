"""Small (Q)ONNX models, written node by node."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GENERAL = "qonnx.custom_op.general"


@dataclass
class Graph:
    """Nodes and constants under construction; each method returns the name of a tensor."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    opset: int = 13

    def constant(self, values, kind=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, op, inputs, domain="", **attributes) -> str:
        (output,) = self.several(op, inputs, 1, domain=domain, **attributes)
        return output

    def several(self, op, inputs, count, **attributes) -> list[str]:
        """A node of so many outputs."""
        name = f"n{len(self.nodes)}"
        outputs = [f"{name}_out{number or ''}" for number in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
        return outputs

    def random(self, *shape) -> str:
        return self.constant(self.rng.normal(0, 0.5, shape))

    def recurrent(self, x, kind, reads, units, *, ways=1, **attributes) -> list[str]:
        """A recurrent layer; returns the tensors of its steps and of its last state."""
        gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind] * units
        given = [x, *(self.random(ways, gates, each) for each in (reads, units))]
        given.append(self.random(ways, 2 * gates))
        attributes["hidden_size"] = units
        if kind == "GRU":
            attributes.setdefault("linear_before_reset", 1)
        if ways == 2:
            attributes["direction"] = "bidirectional"
        name = f"n{len(self.nodes)}"
        outputs = [f"{name}_out", f"{name}_last"]
        self.nodes.append(helper.make_node(kind, given, outputs, name=name, **attributes))
        return outputs

    def quant(self, x, bits, frac, *, signed=1, narrow=0, op="Quant", mode="ROUND", zero=0.0):
        given = [x, self.constant(2.0**-frac), self.constant(zero), self.constant(float(bits))]
        return self.node(op, given, GENERAL, signed=signed, narrow=narrow, rounding_mode=mode)

    def by_channel(self, values, bits, fracs) -> str:
        """A constant with a scale for each of its last axis' channels."""
        given = [self.constant(values), self.constant(2.0 ** -np.asarray(fracs, float))]
        given += [self.constant(0.0), self.constant(float(bits))]
        attributes = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
        return self.node("Quant", given, GENERAL, **attributes)

    def scaled(self, x, bits, scale, *, signed=1, mode="ROUND", zero=0.0):
        """A quantizer whose scale is any number, or one for each channel."""
        given = [x, *map(self.constant, (scale, zero, float(bits)))]
        return self.node("Quant", given, GENERAL, signed=signed, narrow=0, rounding_mode=mode)

    def bipolar(self, x, scale=1.0) -> str:
        return self.node("BipolarQuant", [x, self.constant(scale)], GENERAL)

    def weights(self, *shape, bits=4, frac=3) -> str:
        raw = self.constant(self.rng.normal(0, 0.5, shape))
        return self.quant(raw, bits, frac, narrow=1)

    def dense(self, x, n_in, n_out, *, bias=True) -> str:
        x = self.node("MatMul", [x, self.weights(n_in, n_out)])
        if not bias:
            return x
        return self.node("Add", [x, self.quant(self.constant(self.rng.normal(0, 1, n_out)), 8, 5)])

    def relu(self, x, bits=4, frac=2) -> str:
        return self.quant(self.node("Relu", [x]), bits, frac, signed=0)

    def conv(self, x, n_in, n_out, kernel=(3, 3), *, group=1, pads=None, strides=None, bias=False):
        axes = len(kernel)
        given = [x, self.weights(n_out, n_in // group, *kernel)]
        if bias:
            given.append(self.constant(np.round(self.rng.normal(0, 8, n_out)) / 8))
        return self.node(
            "Conv",
            given,
            kernel_shape=kernel,
            group=group,
            pads=pads or [0] * 2 * axes,
            strides=strides or [1] * axes,
            dilations=[1] * axes,
        )

    def save(self, path, shape, output, *, inputs=1, batch=1):
        """Write the model; its inputs are `x`, or `x0` and so on."""
        names = ["x"] if inputs == 1 else [f"x{i}" for i in range(inputs)]
        kind = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info(name, kind, [batch, *shape]) for name in names],
            [helper.make_tensor_value_info(output, kind, None)],
            self.constants,
        )
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, 1)]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)


def mlp(g: Graph) -> tuple[tuple[int, ...], str]:
    """All quantized; the second layer has no bias, and a scale for each unit."""
    x = g.quant("x", 8, 4)
    x = g.relu(g.dense(x, 16, 12))
    weights = g.by_channel(g.rng.normal(0, 0.5, (12, 8)), 3, [0, 1, 2, 3, 1, 2, 4, 2])
    x = g.relu(g.node("MatMul", [x, weights]), bits=3, frac=1)
    return (16,), g.dense(x, 8, 5)


def tfc(g: Graph) -> tuple[tuple[int, ...], str]:
    """Signs for weights and activations, with normalizations, as the zoo's fully binarized nets."""
    x = g.bipolar("x")
    for n_in, n_out in ((16, 12), (12, 6)):
        x = g.node("MatMul", [x, g.bipolar(g.constant(g.rng.normal(0, 1, (n_in, n_out))))])
        gamma, beta, mean = (np.round(g.rng.normal(0, 4, n_out)) / 4 for _ in range(3))
        given = [gamma + 8, beta, mean, np.full(n_out, 4.0)]
        x = g.node("BatchNormalization", [x, *map(g.constant, given)], epsilon=0.0)
        x = g.bipolar(x) if n_out == 12 else x
    return (16,), x


def images(g: Graph) -> tuple[tuple[int, ...], str]:
    """Padded, strided and depthwise convolutions, pooling, a residual, a flattened end."""
    x = first = g.relu(g.conv(g.quant("x", 6, 4), 2, 4, pads=[1, 1, 1, 1], bias=True))
    x = g.relu(g.conv(x, 4, 4, group=4, pads=[1, 1, 1, 1]))
    x = g.quant(g.node("Add", [x, first]), 5, 2, signed=0)
    x = g.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = g.relu(g.conv(x, 4, 6, (2, 2), strides=[2, 1]))
    x = g.node("Flatten", [x], axis=1)
    return (2, 8, 8), g.dense(x, 6 * 2 * 3, 4)


def sequence(g: Graph) -> tuple[tuple[int, ...], str]:
    """A convolution over time, a mean over time, scaled."""
    x = g.relu(g.conv(g.quant("x", 6, 3), 3, 4, (3,), pads=[1, 1]))
    x = g.node("GlobalAveragePool", [x])
    x = g.node("Flatten", [x], axis=1)
    x = g.node("Add", [g.constant(0.25), g.node("Mul", [x, g.constant(0.5)])])
    return (3, 8), g.dense(g.quant(x, 6, 3), 4, 3)


def joined(g: Graph) -> tuple[tuple[int, ...], str]:
    """Two branches, one transposed weight, a Gemm, an IntQuant, concatenated and subtracted."""
    x = g.quant("x", 8, 4, op="IntQuant")
    left, right = g.relu(g.dense(x, 8, 4)), g.relu(g.dense(x, 8, 4))
    x = g.node("Concat", [left, g.node("Sub", [left, right])], axis=1)
    x = g.quant(x, 6, 2)
    bias = g.constant(np.arange(5) / 4)
    return (8,), g.node("Gemm", [x, g.weights(5, 8), bias], transB=1)


def float_scales(g: Graph) -> tuple[tuple[int, ...], str]:
    """As Brevitas exports: scales and biases of floats, by channel too, and a normalization."""
    x = g.scaled("x", 8, 0.017329)
    weights = g.scaled(g.constant(g.rng.normal(0, 0.5, (16, 12))), 4, 0.071347)
    x = g.node("Add", [g.node("MatMul", [x, weights]), g.constant(g.rng.normal(0, 0.3, 12))])
    x = g.scaled(g.node("Relu", [x]), 4, 0.117531, signed=0)
    scales = g.rng.uniform(0.03, 0.3, (1, 8))
    weights = g.scaled(g.constant(g.rng.normal(0, 0.5, (12, 8))), 4, scales)
    x = g.node("MatMul", [x, weights])
    constants = (
        g.rng.normal(0, 1, 8),
        *(g.rng.normal(0, 0.3, 8) for _ in range(2)),
        g.rng.uniform(1, 2, 8),
    )
    x = g.node("BatchNormalization", [x, *map(g.constant, constants)], epsilon=1e-5)
    x = g.scaled(g.node("Relu", [x]), 3, 0.313371, signed=0)
    weights = g.scaled(g.constant(g.rng.normal(0, 0.5, (8, 5))), 3, 0.211733)
    return (16,), g.quant(g.node("MatMul", [x, weights]), 8, 4)


def float_signs(g: Graph) -> tuple[tuple[int, ...], str]:
    """A fully binarized net with normalizations of floats, some of them negative."""
    x = g.bipolar("x", 0.37)
    for n_in, n_out in ((16, 12), (12, 6)):
        x = g.node("MatMul", [x, g.bipolar(g.constant(g.rng.normal(0, 1, (n_in, n_out))), 0.23)])
        constants = [g.rng.normal(0, spread, n_out) for spread in (1, 0.1, 0.1)]
        constants.append(g.rng.uniform(1, 2, n_out))
        x = g.node("BatchNormalization", [x, *map(g.constant, constants)], epsilon=1e-3)
        x = g.bipolar(x, 0.5) if n_out == 6 else g.bipolar(x, 0.71)
    return (16,), x


def float_images(g: Graph) -> tuple[tuple[int, ...], str]:
    """Pads, a pooling with pads, a residual, a depthwise kernel and a mean, all with odd scales."""
    x = g.scaled("x", 6, 0.043391)

    def conv(x, n_in, n_out, group=1):
        weights = g.constant(g.rng.normal(0, 0.5, (n_out, n_in // group, 3, 3)))
        scales = g.rng.uniform(0.05, 0.2, (n_out, 1, 1, 1))
        given = [x, g.scaled(weights, 4, scales), g.constant(g.rng.normal(0, 0.2, n_out))]
        windows = {"kernel_shape": [3, 3], "strides": [1, 1], "dilations": [1, 1]}
        return g.node("Conv", given, group=group, pads=[1, 1, 1, 1], **windows)

    x = first = g.scaled(g.node("Relu", [conv(x, 2, 4)]), 4, 0.110771, signed=0)
    x = g.scaled(g.node("Relu", [conv(x, 4, 4, group=4)]), 4, 0.110771, signed=0)
    x = g.scaled(g.node("Add", [x, first]), 5, 0.131713, signed=0)
    x = g.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = g.node("GlobalAveragePool", [g.scaled(conv(x, 4, 6), 6, 0.070919)])
    x = g.node("Flatten", [x], axis=1)
    return (2, 8, 8), g.quant(x, 7, 3)


def truncated(g: Graph) -> tuple[tuple[int, ...], str]:
    """Sums that lose their last bits, other roundings, a zero point, a constant minus a tensor."""
    x = g.scaled("x", 6, 0.090371, signed=0, zero=9.0)
    weights = g.scaled(g.constant(g.rng.normal(0, 0.5, (8, 8))), 4, 0.071317)
    x = g.node("MatMul", [x, weights])
    x = g.scaled(x, 6, 0.051731, mode="FLOOR")
    given = [x, *map(g.constant, (0.051731, 0.0, 6.0, 4.0))]
    x = g.node("Trunc", given, GENERAL, rounding_mode="FLOOR")
    x = g.node("Div", [g.node("Sub", [g.constant(0.303717), x]), g.constant(0.717371)])
    return (8,), g.quant(g.scaled(x, 5, 0.113177, mode="CEIL"), 8, 5)


def exported(g):
    """What PyTorch exports of a network with a sequence of pixels."""
    x = g.node("Conv", ["x", g.random(3, 2, 3)], kernel_shape=[3], pads=[1, 1])
    x = g.node("PRelu", [x, g.random(3, 1)])
    x = g.node("ConvTranspose", [x, g.random(3, 2, 2)], strides=[2], kernel_shape=[2])
    x = g.node("Clip", [x, g.constant(0.0), g.constant(1.5)])
    steps, _ = g.recurrent(g.node("Transpose", [x], perm=[2, 0, 1]), "GRU", 2, 2, ways=2)
    steps = g.node("Transpose", [steps], perm=[0, 2, 1, 3])
    steps = g.node("Reshape", [steps, g.constant([8, 1, 4], np.int64)])
    return (2, 4), g.node("Gather", [steps, g.constant(-1, np.int64)], axis=0)


ALL = {
    each.__name__: each
    for each in (
        mlp,
        tfc,
        images,
        sequence,
        joined,
        float_scales,
        float_signs,
        float_images,
        truncated,
    )
}
#: Of floats, so that hardware's outputs are not the runtime's to the last bit.
FLOATS = {"exported": exported}
