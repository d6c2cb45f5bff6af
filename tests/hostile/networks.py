"""Small networks written into every kind of model file by hand: seeds need no TensorFlow."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Node:
    """A layer: class, name, arguments, what it reads, shape of its output, its weights in order.

    `call` is what Keras 2 calls it with besides tensors.
    """

    kind: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network: its layers in order; each reads those before it, or, if sequential, the last."""

    name: str
    nodes: tuple[Node, ...]
    options: tuple[str, ...] = ()  # of `gatewright convert`
    sequential: bool = False

    @property
    def outputs(self) -> list[str]:
        read = {name for node in self.nodes for name in node.inputs}
        calls = [value for node in self.nodes for value in node.call.values()]
        read |= {call[0] for call in calls if isinstance(call, list) and isinstance(call[0], str)}
        return [node.name for node in self.nodes if node.name not in read]


class _Builder:
    """Adds layers one behind the other; weights are on a grid of 1/8."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.rng = np.random.default_rng(11)

    def array(self, *shape: int) -> np.ndarray:
        return (self.rng.integers(-12, 13, shape) / 8).astype(np.float32)

    def input(self, name: str, *shape: int) -> str:
        self.nodes.append(Node("InputLayer", name, shape=shape))
        return name

    def add(
        self,
        kind: str,
        name: str,
        inputs: str | tuple[str, ...],
        shape: tuple[int, ...],
        **args: Any,
    ) -> str:
        weights, call = args.pop("weights", {}), args.pop("call", {})
        inputs = (inputs,) if isinstance(inputs, str) else inputs
        self.nodes.append(Node(kind, name, args, inputs, shape, weights, call))
        return name

    def of(self, name: str) -> tuple[int, ...]:
        return next(node.shape for node in self.nodes if node.name == name)

    def dense(self, name: str, source: str, units: int, kind: str = "Dense", **args: Any) -> str:
        *outer, channels = self.of(source)
        weights = {"kernel": self.array(channels, units), "bias": self.array(units)}
        args = {"units": units, "activation": "linear", "use_bias": True, **args}
        return self.add(kind, name, source, (*outer, units), weights=weights, **args)

    def conv(self, name: str, source: str, filters: int, kind: str = "Conv2D", **args: Any) -> str:
        """A convolution of windows of 2 on each side, without padding."""
        *pixels, channels = self.of(source)
        window = (2,) * len(pixels)
        ones = (1,) * len(pixels)
        if "Depthwise" in kind or "Separable" in kind:
            weights = {"depthwise_kernel": self.array(*window, channels, 1)}
            args |= {"depth_multiplier": 1}
            if "Separable" in kind:
                weights["pointwise_kernel"] = self.array(*ones, channels, filters)
        else:
            weights = {"kernel": self.array(*window, channels, filters)}
            args["groups"] = 1
        if "Depthwise" not in kind:
            args["filters"] = filters
        args = {
            "kernel_size": list(window),
            "strides": list(ones),
            "padding": "valid",
            "data_format": "channels_last",
            "dilation_rate": list(ones),
            "activation": "linear",
            "use_bias": True,
            **args,
        }
        weights["bias"] = self.array(filters)
        shape = (*(n - 1 for n in pixels), filters)
        return self.add(kind, name, source, shape, weights=weights, **args)

    def recurrent(self, kind: str, name: str, source: str, units: int, **args: Any) -> str:
        steps, channels = self.of(source)
        gates = {"LSTM": 4, "GRU": 3}[kind] * units
        args |= {"units": units, "activation": "tanh", "recurrent_activation": "sigmoid"}
        args = {"go_backwards": False} | args
        args |= {"use_bias": True, "return_state": False, "stateful": False}
        args |= {"reset_after": True} if kind == "GRU" else {"unit_forget_bias": True}
        weights = {
            "kernel": self.array(channels, gates),
            "recurrent_kernel": self.array(units, gates),
            "bias": self.array(2, gates) if kind == "GRU" else self.array(gates),
        }
        shape = (steps, units) if args["return_sequences"] else (units,)
        return self.add(kind, name, source, shape, weights=weights, **args)

    def batchnorm(self, name: str, source: str, **args: Any) -> str:
        n = self.of(source)[-1]
        weights = {what: self.array(n) for what in ("gamma", "beta", "moving_mean")}
        weights["moving_variance"] = np.abs(self.array(n)) + 1
        args = {
            "axis": -1,
            "momentum": 0.99,
            "epsilon": 0.001,
            "center": True,
            "scale": True,
        } | args
        return self.add(
            "BatchNormalization", name, source, self.of(source), weights=weights, **args
        )

    def same(self, kind: str, name: str, source: str | tuple[str, ...], **args: Any) -> str:
        """A layer whose output has the shape of its input."""
        first = source if isinstance(source, str) else source[0]
        return self.add(kind, name, source, self.of(first), **args)

    def network(self, name: str, *options: str, sequential: bool = False) -> Network:
        return Network(name, tuple(self.nodes), options, sequential)


_NARROW = ("--input-precision", "fixed<6,3>", "--precision", "fixed<10,5>")


def mlp() -> Network:
    """Sequential: Dense, batch normalization, softmax."""
    b = _Builder()
    x = b.input("x", 3)
    x = b.dense("fc1", x, 2, activation="relu")
    x = b.batchnorm("bn", x)
    x = b.same("Dropout", "drop", x, rate=0.5, noise_shape=None, seed=None)
    x = b.dense("fc2", x, 2, use_bias=True)
    b.same("Softmax", "prob", x, axis=-1)
    return b.network("mlp", *_NARROW, sequential=True)


def images() -> Network:
    """Convolutions of an image, pooling, padding, cropping, up-sampling, a residual sum."""
    b = _Builder()
    form = {"data_format": "channels_last"}
    x = b.input("x", 4, 4, 1)
    x = b.conv("c1", x, 2, activation="relu")
    x = b.add("ZeroPadding2D", "zp", x, (5, 4, 2), padding=[[1, 1], [1, 0]], **form)
    x = b.add("Cropping2D", "cr", x, (4, 4, 2), cropping=[[1, 0], [0, 0]], **form)
    pool = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid", **form}
    x = b.add("MaxPooling2D", "mp", x, (2, 2, 2), **pool)
    x = b.add("UpSampling2D", "up", x, (4, 4, 2), size=[2, 2], interpolation="nearest", **form)
    x = b.add("AveragePooling2D", "ap", x, (2, 2, 2), **pool)
    y = b.same("LeakyReLU", "leaky", x, alpha=0.25)
    x = b.same("Add", "sum", (x, y))
    x = b.add("Flatten", "flat", x, (8,), **form)
    b.dense("fc", x, 2)
    return b.network("images", *_NARROW)


def sequence() -> Network:
    """An embedding, convolutions of a sequence, global pooling."""
    b = _Builder()
    x = b.input("x", 4)
    table = {"embeddings": b.array(8, 2)}
    x = b.add(
        "Embedding", "emb", x, (4, 2), weights=table, input_dim=8, output_dim=2, mask_zero=False
    )
    x = b.conv("c1", x, 2, "Conv1D", activation="tanh")
    form = {"data_format": "channels_last"}
    pool = {"pool_size": [2], "strides": [2], "padding": "valid", **form}
    x = b.add("MaxPooling1D", "mp", x, (1, 2), **pool)
    x = b.add("GlobalAveragePooling1D", "gap", x, (2,), keepdims=False, **form)
    b.dense("fc", x, 2, activation="sigmoid")
    return b.network("sequence", "--input-precision", "ufixed<3,3>", "--precision", "fixed<10,5>")


def states() -> Network:
    """Layers with a state, and a sum of products along any axes."""
    b = _Builder()
    x = b.input("x", 3, 2)
    x = b.recurrent("LSTM", "lstm", x, 2, return_sequences=True, go_backwards=True)
    weights = {"kernel": b.array(3, 2), "bias": b.array(2)}
    x = b.add(
        "EinsumDense", "ein", x, (2, 2), weights=weights,
        equation="abc,bd->adc", output_shape=[2, 2], bias_axes="c", activation="linear",
    )  # fmt: skip
    b.recurrent("GRU", "gru", x, 2, return_sequences=False)
    return b.network("states", *_NARROW)


def merges(*, keras3: bool = False) -> Network:
    """Two inputs, branches that meet in merges of every form, activations with parameters."""
    b = _Builder()
    x, y = b.input("x", 2), b.input("y", 2)
    a = b.dense("fa", x, 2)
    c = b.dense("fb", y, 2)
    p = b.same("Multiply", "mul", (a, c))
    q = b.same("Maximum", "max", (a, c))
    s = b.add("Concatenate", "cat", (p, q), (4,), axis=-1)
    if not keras3:
        s = b.same("ThresholdedReLU", "thr", s, theta=0.5)
    s = b.add("Reshape", "shape", s, (2, 2), target_shape=[2, 2])
    s = b.add("Permute", "turn", s, (2, 2), dims=[2, 1])
    s = b.add("Flatten", "flat", s, (4,), data_format="channels_last")
    s = b.same("ELU", "elu", s, alpha=1.0)
    b.dense("fc", s, 2)
    b.add("Dot", "dot", (a, c), (1,), axes=1, normalize=False)
    return b.network("merges", *_NARROW)


def depthwise() -> Network:
    """A depthwise and a separable convolution of an image, with the ReLU layer and PReLU."""
    b = _Builder()
    x = b.input("x", 3, 3, 2)
    x = b.conv("dw", x, 2, "DepthwiseConv2D")
    limits = {"max_value": None, "negative_slope": 0.25, "threshold": 0.0}
    x = b.same("ReLU", "relu", x, **limits)
    x = b.conv("sep", x, 2, "SeparableConv2D")
    x = b.add("Reshape", "shape", x, (2,), target_shape=[2])
    alpha = {"alpha": np.abs(b.array(2)) / 4}
    b.same("PReLU", "prelu", x, weights=alpha, shared_axes=None)
    return b.network("depthwise", *_NARROW)


def _quantizer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": config, "registered_name": kind}


def quantized() -> Network:
    """QKeras layers."""
    bits = _quantizer(
        "quantized_bits", bits=4, integer=1, symmetric=0, alpha=1, keep_negative=True,
        use_stochastic_rounding=False, qnoise_factor=1.0,
    )  # fmt: skip
    ternary = _quantizer(
        "ternary", alpha=1, threshold=None, use_stochastic_rounding=False, number_of_unrolls=5
    )
    relu = _quantizer(
        "quantized_relu", bits=4, integer=2, use_sigmoid=0, negative_slope=0.0,
        use_stochastic_rounding=False, relu_upper_bound=None, qnoise_factor=1.0,
    )  # fmt: skip
    b = _Builder()
    x = b.input("x", 3, 3, 1)
    both = {"kernel_quantizer": bits, "bias_quantizer": bits}
    x = b.conv("qc", x, 2, "QConv2D", **both)
    x = b.same("QActivation", "qa", x, activation=relu)
    x = b.add("Flatten", "flat", x, (8,), data_format="channels_last")
    x = b.dense("q1", x, 2, "QDense", **both)
    x = b.same("QActivation", "qb", x, activation="quantized_bits(6,2,alpha=1)")
    b.dense("q2", x, 2, "QDense", kernel_quantizer=ternary, bias_quantizer=bits)
    return b.network("quantized", *_NARROW)


def _layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def structures() -> Network:
    """A model within the model, a wrapper, a layer as an activation, and operations; of Keras 2."""
    b = _Builder()
    x = b.input("x", 4)

    def weights(name: str, channels: int, units: int) -> dict[str, np.ndarray]:
        return {f"{name}/kernel": b.array(channels, units), f"{name}/bias": b.array(units)}

    within = [_layer("InputLayer", "i", batch_input_shape=[None, 4]), _layer("Dense", "d", units=3)]
    x = b.add("Sequential", "enc", x, (3,), weights=weights("d", 4, 3), layers=within)
    mask = np.ones((3, 4), np.float32)
    wrapped = _layer("Dense", "p", units=4)
    wrapper = {"pruning_schedule": {"class_name": "ConstantSparsity", "config": {}}}
    x = b.add(
        "PruneLowMagnitude", "prune_p", x, (4,), layer=wrapped, block_size=[1, 1],
        weights=weights("p", 3, 4) | {"mask": mask}, **wrapper,
    )  # fmt: skip
    x = b.dense("fc", x, 4, activation=_layer("LeakyReLU", "leaky", alpha=0.25))
    ends = [{"start": None, "stop": end, "step": None} for end in (None, 2)]
    y = b.add(
        "SlicingOpLambda", "tf.__operators__.getitem", x, (2,),
        function="__operators__.getitem", call={"slice_spec": ends},
    )  # fmt: skip
    z = b.dense("fd", x, 2)
    y = b.add(
        "TFOpLambda", "tf.__operators__.add", y, (2,),
        function="__operators__.add", call={"y": [z, 0, 0], "name": None},
    )  # fmt: skip
    y = b.add("TFOpLambda", "tf.math.multiply", y, (2,), function="math.multiply", call={"y": 0.5})
    b.add("TFOpLambda", "tf.reshape", y, (2, 1), function="reshape", call={"shape": [-1, 2, 1]})
    return b.network("structures", *_NARROW)


def networks() -> list[Network]:
    """Those of Keras 2."""
    return [mlp(), images(), sequence(), states(), merges(), depthwise(), quantized()]


def keras3_networks() -> list[Network]:
    """Those of layers that Keras 3 has and that are read from its files."""
    return [mlp(), images(), sequence(), states(), merges(keras3=True)]


# Keras 2: architecture, .h5, .json with weights, the .keras of tf-keras.


def keras2_architecture(network: Network) -> dict[str, Any]:
    """The architecture as tf-keras writes it."""
    layers = []
    for node in network.nodes:
        config = {"name": node.name, "trainable": True, "dtype": "float32", **node.config}
        if node.kind == "InputLayer":
            config = {"batch_input_shape": [None, *node.shape], **config, "sparse": False}
        layer = {"class_name": node.kind, "config": config}
        if not network.sequential:
            inbound = [[[name, 0, 0, node.call] for name in node.inputs]] if node.inputs else []
            layer |= {"name": node.name, "inbound_nodes": inbound}
        layers.append(layer)
    config = {"name": network.name, "layers": layers}
    if not network.sequential:
        inputs = [node.name for node in network.nodes if node.kind == "InputLayer"]
        config |= {
            "trainable": True,
            "input_layers": [[name, 0, 0] for name in inputs],
            "output_layers": [[name, 0, 0] for name in network.outputs],
        }
    kind = "Sequential" if network.sequential else "Functional"
    return {"class_name": kind, "config": config}


def write_h5(network: Network, path: Path, *, whole: bool = True) -> None:
    """A whole model of Keras 2 as HDF5, or its weights alone."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"backend": "tensorflow", "keras_version": "2.21.0"})
        if whole:
            file.attrs["model_config"] = json.dumps(keras2_architecture(network))
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = [node.name for node in network.nodes]
        for node in network.nodes:
            group = root.create_group(node.name)
            names = [f"{node.name}/{key}:0" for key in node.weights]
            group.attrs["weight_names"] = names
            for name, array in zip(names, node.weights.values(), strict=True):
                group[name] = array


def write_json(network: Network, path: Path) -> None:
    """The architecture of Keras 2; its weights beside it, as `<stem>_weights.h5`."""
    path.write_text(json.dumps(keras2_architecture(network)))
    write_h5(network, path.with_name(f"{path.stem}_weights.h5"), whole=False)


def _snake(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _numbered(network: Network) -> Iterator[tuple[str, Node]]:
    """Names of the layers' groups in archives, which Keras numbers by class."""
    used: dict[str, int] = {}
    for node in network.nodes:
        if network.sequential and node.kind == "InputLayer":
            continue
        stem = _snake(node.kind)
        count = used[stem] = used.get(stem, -1) + 1
        yield (f"{stem}_{count}" if count else stem), node


def write_numbered_weights(network: Network, path: Any) -> None:
    """Weights as in `.keras` archives and in the `.weights.h5` of Keras 3."""
    with h5py.File(path, "w") as file:
        file.create_group("vars").attrs["name"] = network.name
        for group, node in _numbered(network):
            inside = "cell/vars" if node.kind in ("LSTM", "GRU") else "vars"
            variables = file.create_group(f"layers/{group}/{inside}")
            variables.attrs["name"] = node.name
            for index, array in enumerate(node.weights.values()):
                variables[str(index)] = array


def _write_archive(
    network: Network, path: Path, architecture: dict[str, Any], version: str
) -> None:
    weights = io.BytesIO()
    write_numbered_weights(network, weights)
    date = (2026, 1, 1, 0, 0, 0)
    members = {
        "metadata.json": json.dumps(
            {"keras_version": version, "date_saved": "2026-01-01@00:00:00"}
        ),
        "config.json": json.dumps(architecture),
        "model.weights.h5": weights.getvalue(),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, date), content)


def write_keras2_archive(network: Network, path: Path) -> None:
    """The `.keras` of tf-keras."""
    architecture = keras2_architecture(network)
    kind = architecture["class_name"]
    whole = {"module": "tf_keras", **architecture, "registered_name": kind, "compile_config": {}}
    _write_archive(network, path, whole, "2.21.0")


# Keras 3: .keras, .weights.h5.

#: Arguments that Keras 3 names otherwise, or not at all.
_RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}}


def keras3_architecture(network: Network) -> dict[str, Any]:
    """The architecture as Keras 3 writes it."""
    shapes = {node.name: node.shape for node in network.nodes}
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }

    def tensor(name: str) -> dict[str, Any]:
        config = {"shape": [None, *shapes[name]], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for node in network.nodes:
        renamed = _RENAMED.get(node.kind, {})
        own = {renamed.get(key, key): value for key, value in node.config.items()}
        config: dict[str, Any] = {"name": node.name, "trainable": True, "dtype": policy, **own}
        if node.kind == "InputLayer":
            config = {"name": node.name, "batch_shape": [None, *node.shape], "dtype": "float32"}
            config |= {"sparse": False, "ragged": False}
        layer: dict[str, Any] = {
            "module": "keras.layers",
            "class_name": node.kind,
            "config": config,
            "registered_name": None,
        }
        if node.inputs:
            read = [[None, *shapes[name]] for name in node.inputs]
            layer["build_config"] = {"input_shape": read if len(read) > 1 else read[0]}
        if not network.sequential:
            tensors = [tensor(name) for name in node.inputs]
            args = [tensors] if len(tensors) > 1 else tensors
            layer |= {
                "name": node.name,
                "inbound_nodes": [{"args": args, "kwargs": {}}] if tensors else [],
            }
        layers.append(layer)
    config = {"name": network.name, "trainable": True, "layers": layers}
    if network.sequential:
        kind, module = "Sequential", "keras"
        config |= {"dtype": policy, "build_input_shape": [None, *network.nodes[0].shape]}
    else:
        kind, module = "Functional", "keras.src.models.functional"
        inputs = [[node.name, 0, 0] for node in network.nodes if node.kind == "InputLayer"]
        outputs = [[name, 0, 0] for name in network.outputs]
        config["input_layers"] = inputs[0] if len(inputs) == 1 else inputs
        config["output_layers"] = outputs[0] if len(outputs) == 1 else outputs
    return {
        "module": module,
        "class_name": kind,
        "config": config,
        "registered_name": kind,
        "build_config": {"input_shape": None},
        "compile_config": {},
    }


def write_keras3_archive(network: Network, path: Path) -> None:
    """The `.keras` of Keras 3."""
    _write_archive(network, path, keras3_architecture(network), "3.15.1")
