"""A Keras model as layers that can be replaced, removed and inserted, and built again.

QKeras' own `model_quantize` isn't used: it evaluates strings, leaves activations inside layers,
where hls4ml doesn't read them, fails on LeakyReLU, and ignores unknown layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.layer_graph import kind_of, output_layers, walk
from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.quiet import import_keras

#: Names of the kernels of a layer, in the order of its weights; a bias may follow them.
KERNELS = {
    "Dense": ("kernel",),
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "DepthwiseConv2D": ("depthwise",),
    "SeparableConv1D": ("depthwise", "pointwise"),
    "SeparableConv2D": ("depthwise", "pointwise"),
}
#: The functions that QKeras' quantizers of activations compute, apart from rounding.
_FUNCTIONS = {
    "quantized_bits": "linear",
    "quantized_relu": "relu",
    "quantized_sigmoid": "sigmoid",
    "quantized_tanh": "tanh",
}

#: Quantizers of one layer, by what they quantize: a kernel, `bias`, or `activation`.
Quantizers = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Node:
    """A layer.

    Attributes:
        name: Its name.
        kind: Keras' name of its class, also if it is QKeras' version of it.
        inputs: Names of the layers that it reads.
        made_of: The class to instantiate if it has no quantizers.
        config: Keyword arguments of that class.
        shape: The shape of its output, without the batch.
        weights: Its weights, in Keras' order. If a quantizer has a fixed `alpha`, its weights here
            are already multiplied by it.
        quantizers: Its quantizers of QKeras.
        function: The function of an activation, such as `relu` or `tanh`; "" for other layers.
        limit: The greatest output of a relu; None if it has no limit.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    made_of: Any
    config: Mapping[str, Any]
    shape: tuple[int | None, ...]
    weights: tuple[NDArray[Any], ...] = ()
    quantizers: Quantizers = field(default_factory=dict)
    function: str = ""
    limit: float | None = None

    @property
    def kernels(self) -> dict[str, NDArray[Any]]:
        """The kernels by name."""
        return dict(zip(KERNELS.get(self.kind, ()), self.weights, strict=False))

    @property
    def bias(self) -> NDArray[Any] | None:
        """The bias of a layer with kernels; None if it has none."""
        return self.weights[-1] if self.kernels and self.config["use_bias"] else None


class Network:
    """The layers of a model in topological order.

    Args:
        name: The model's name.
        nodes: The layers.
        inputs: Names of its input layers, in the model's order.
        outputs: Names of the layers whose results are the model's outputs, in order.
        sequential: Whether it is a Sequential model.
    """

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        inputs: list[str],
        outputs: list[str],
        *,
        sequential: bool,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.sequential = sequential
        self._nodes = {node.name: node for node in nodes}
        self._layers: dict[Node, Any] = {}

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def copy(self) -> Network:
        """A network with the same layers; changes to it don't affect this one."""
        copy = Network(
            self.name, list(self), self.inputs, list(self.outputs), sequential=self.sequential
        )
        copy._layers = self._layers
        return copy

    def readers(self, name: str) -> list[Node]:
        """The layers that read a layer."""
        return [node for node in self if name in node.inputs]

    def put(self, node: Node) -> None:
        """Replace the layer with this name."""
        self._nodes[node.name] = node

    def insert(self, node: Node) -> None:
        """Insert a layer after the one that it reads; that one's readers then read the new one."""
        (before,) = node.inputs
        nodes: list[Node] = []
        for other in self:
            nodes.append(_rewired(other, before, node.name))
            if other.name == before:
                nodes.append(node)
        self._nodes = {other.name: other for other in nodes}
        self.outputs = [node.name if name == before else name for name in self.outputs]

    def remove(self, name: str) -> None:
        """Remove a layer with one input; its readers then read that input."""
        (before,) = self._nodes.pop(name).inputs
        self._nodes = {node.name: _rewired(node, name, before) for node in self}
        self.outputs = [before if output == name else output for output in self.outputs]

    def upstream(self, name: str) -> list[str]:
        """The names of the nearest layers with kernels before a layer; all equally near ones."""
        front, seen = list(self[name].inputs), {name}
        while front:
            if found := [other for other in dict.fromkeys(front) if self[other].kernels]:
                return found
            seen |= set(front)
            front = [far for near in front for far in self[near].inputs if far not in seen]
        return []

    def run(self, samples: Sequence[NDArray[Any]], names: Sequence[str]) -> list[NDArray[Any]]:
        """The results of some layers on a batch.

        This is much faster than building the model, for which TensorFlow would create a graph. Each
        layer is instantiated once, also for copies of the network.

        Args:
            samples: An array float32 [n, ...] for each input, in the order of `inputs`.
            names: Names of the layers.

        Returns:
            An array [n, ...] for each name.
        """
        values: dict[str, Any] = dict(zip(self.inputs, samples, strict=True))
        needed = set(names)
        for node in reversed(list(self)):
            needed |= set(node.inputs) if node.name in needed else set()
        for node in self:
            if node.inputs and node.name in needed:
                read = [values[name] for name in node.inputs]
                layer = self.layer_of(node)
                values[node.name] = layer(read if len(read) > 1 else read[0], training=False)
        return [np.asarray(values[name]) for name in names]

    def layer_of(self, node: Node) -> Any:
        """The Keras layer of a node, with its weights; instantiated once, also for copies."""
        if node not in self._layers:
            self._layers[node] = layer = _layer(node)
            if node.weights:
                layer.build((None, *self[node.inputs[0]].shape))
                layer.set_weights(_scaled(node, node.weights, -1))
        return self._layers[node]

    def build(self) -> Any:
        """A new tf-keras model of these layers; layers with quantizers are QKeras'."""
        keras = import_keras("tf_keras")
        layers = {node.name: _layer(node) for node in self}
        if self.sequential:
            model = keras.Sequential(list(layers.values()), name=self.name)
        else:
            tensors: dict[str, Any] = {}
            for node in self:
                read = [tensors[name] for name in node.inputs]
                layer = layers[node.name]
                tensors[node.name] = (
                    layer.output if not read else layer(read if len(read) > 1 else read[0])
                )
            model = keras.Model(
                [tensors[name] for name in self.inputs],
                [tensors[name] for name in self.outputs],
                name=self.name,
            )
        for node in self:
            if node.weights:
                layers[node.name].set_weights(_scaled(node, node.weights, -1))
        return model


def _scaled(node: Node, weights: tuple[NDArray[Any], ...], power: int) -> list[NDArray[Any]]:
    """Weights times the fixed scales of a layer's quantizers to a power of 1 or -1."""
    whats = (*KERNELS.get(node.kind, ()), "bias")
    alphas = [getattr(node.quantizers.get(what), "alpha", None) for what in whats]
    return [
        weight * np.float32(alpha**power) if isinstance(alpha, int | float) else weight
        for weight, alpha in itertools.zip_longest(weights, alphas[: len(weights)])
    ]


def _rewired(node: Node, before: str, after: str) -> Node:
    inputs = tuple(after if name == before else name for name in node.inputs)
    return node if inputs == node.inputs else replace(node, inputs=inputs)


def _layer(node: Node) -> Any:
    """The Keras or QKeras layer of a node."""
    qkeras = import_keras("qkeras")
    if node.function and node.quantizers:
        return qkeras.QActivation(node.quantizers["activation"], name=node.name)
    if not node.kernels:
        return node.made_of.from_config(dict(node.config))
    if not node.quantizers:
        return node.made_of(**node.config)
    quantizers = {f"{what}_quantizer": quantizer for what, quantizer in node.quantizers.items()}
    return getattr(qkeras, f"Q{node.kind}")(**node.config, **quantizers)


def read(model: Any) -> Network:
    """Read a model. Activations within layers become separate layers `<layer>_<function>`.

    Args:
        model: A tf-keras model, Sequential or Functional, with Keras' or QKeras' layers.

    Raises:
        InputError: if it isn't such a model, or isn't built.
        UnsupportedError: if a layer is called more than once, is a model or a wrapper, or has an
            unknown activation.
    """
    keras = import_keras("tf_keras")
    origin = f"model '{getattr(model, 'name', type(model).__name__)}'"
    if not isinstance(model, keras.Model):
        raise InputError(f"{origin}: not a tf-keras model")
    walked = walk(model)
    nodes: list[Node] = []
    if sequential := isinstance(model, keras.Sequential):
        (name,) = model.input_names
        shape, dtype = tuple(model.input_shape), model.inputs[0].dtype.name
        config = {"batch_input_shape": shape, "name": name, "dtype": dtype}
        nodes.append(Node(name, "InputLayer", (), keras.layers.InputLayer, config, shape[1:]))
    for found in walked:
        if not found.plain:
            raise UnsupportedError(
                f"{origin}: layer '{found.name}' is called more than once, or on values other than "
                "the results of layers; use a separate layer for each call, and Add instead of +"
            )
        first = sequential and not found.inputs
        nodes.append(_node(found.layer, (name,) if first else found.inputs))
    inputs, outputs = list(model.input_names), output_layers(model)
    network = Network(model.name, nodes, inputs, outputs, sequential=sequential)
    for node in network:
        if node.kernels:
            layer = model.get_layer(node.name)
            if (function := _function(node.name, layer.activation)) != ("linear", None):
                _split(network, node, *function)
    return network


def _split(network: Network, node: Node, function: str, quantizer: Any) -> None:
    """Insert the activation of a layer as a separate layer after it."""
    name = f"{node.name}_{function}"
    while name in network:
        name += "_"
    made_of = import_keras("tf_keras").layers.Activation
    config = {"name": name, "activation": function}
    quantizers = {} if quantizer is None else {"activation": quantizer}
    network.insert(
        Node(
            name,
            "Activation",
            (node.name,),
            made_of,
            config,
            node.shape,
            quantizers=quantizers,
            function=function,
        )
    )


def _node(layer: Any, inputs: tuple[str, ...]) -> Node:
    keras = import_keras("tf_keras")
    if isinstance(layer, keras.Model | keras.layers.Wrapper):
        raise UnsupportedError(
            f"layer '{layer.name}' is a {type(layer).__name__}; only plain layers can be replaced"
        )
    kind = kind_of(layer) or type(layer).__name__
    shape = layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape
    node = Node(
        layer.name,
        kind,
        inputs,
        type(layer),
        layer.get_config(),
        tuple(shape[1:]),
        tuple(layer.get_weights()),
    )
    if kind in KERNELS:
        made_of = getattr(keras.layers, kind)
        found = {
            what: getattr(layer, f"{what}_quantizer_internal", None)
            for what in (*KERNELS[kind], "bias")
        }
        quantizers = {what: quantizer for what, quantizer in found.items() if quantizer is not None}
        config = _float_config(layer)
        node = replace(node, made_of=made_of, config=config, quantizers=quantizers)
        return replace(node, weights=tuple(_scaled(node, node.weights, 1)))
    if kind == "ReLU" and not layer.negative_slope and not layer.threshold:
        limit = None if layer.max_value is None else float(layer.max_value)
        return replace(node, function="relu", limit=limit)
    if kind == "Activation":
        function, quantizer = _function(layer.name, getattr(layer, "quantizer", layer.activation))
        quantizers = {} if quantizer is None else {"activation": quantizer}
        return replace(node, function=function, quantizers=quantizers)
    return node


def _float_config(layer: Any) -> dict[str, Any]:
    """The keyword arguments of Keras' class for a layer with kernels, without its activation.

    QKeras wraps initializers and constraints for its quantizers; here they are unwrapped.
    """
    qkeras = import_keras("qkeras")
    config = {
        key: value
        for key, value in layer.get_config().items()
        if not key.endswith(("_quantizer", "_range"))
    }
    for key in config:
        if key.endswith(("_initializer", "_constraint")):
            value = getattr(layer, key, config[key])
            if isinstance(value, qkeras.QInitializer):
                value = value.initializer
            elif isinstance(value, qkeras.Clip):
                value = value.constraint
            config[key] = value
    return config | {"activation": None}


def _function(name: str, activation: Any) -> tuple[str, Any]:
    """The function of an activation, and its quantizer of QKeras, or None if it is Keras'."""
    keras = import_keras("tf_keras")
    if activation is None:
        return "linear", None
    kind = getattr(activation, "__name__", type(activation).__name__)
    module = getattr(activation, "__module__", type(activation).__module__)
    if module.partition(".")[0] == "qkeras":
        return _FUNCTIONS.get(kind, kind), activation
    function = keras.activations.serialize(activation)
    if not isinstance(function, str):
        raise UnsupportedError(f"layer '{name}': its activation is neither Keras' nor QKeras' own")
    return function, None
