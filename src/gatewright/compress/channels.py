"""Finds the channels of a model's layers that can only be removed together.

A channel is an index of the last axis of a layer's result: a neuron of a dense layer, a filter of a
convolution. Activations, poolings and other layers pass it on. Some layers tie channels together:
an Add, or a Reshape that joins several into one. Channels that are tied together form a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gatewright.compress.layer_graph import Node, is_depthwise, kind_of, output_layers, walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The class of channels that must stay.
FIXED = 0

_ELEMENTWISE = {
    "Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "PReLU", "Dropout",
    "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
}  # fmt: skip
_CHANNELWISE = {
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "ZeroPadding1D",
    "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "RepeatVector",
}  # fmt: skip
_MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"}
_PRODUCTS = {"Dense", "Conv1D", "Conv2D"}

_FUNCTIONS = {
    "linear", "relu", "relu6", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus",
    "softsign", "swish", "silu", "gelu", "exponential", "leaky_relu", "mish",
}  # fmt: skip
_QUANTIZERS = {
    "quantized_bits", "quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_ulaw",
    "quantized_po2", "quantized_relu_po2", "quantized_hswish", "binary", "ternary",
}  # fmt: skip


@dataclass(frozen=True)
class Channels:
    """The classes of a model's channels.

    Attributes:
        nodes: The model's layers, in order.
        reads: The class of each channel of a layer's input, int64 [channels], by layer; only for
            layers with one input.
        gives: The class of each channel of a layer's result, int64 [channels], by layer; only for
            layers with one result.
        count: The number of classes. Class `FIXED` must stay.
    """

    nodes: list[Node]
    reads: dict[str, NDArray[np.int64]]
    gives: dict[str, NDArray[np.int64]]
    count: int

    def products(self) -> Iterable[Node]:
        """The layers whose channels are each a sum of products with a column of the kernel."""
        return (node for node in self.nodes if node.kind in _PRODUCTS and node.name in self.gives)

    def gone(self, masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Which classes no longer depend on an input, bool of shape (count,).

        In such a class every column of a kernel is pruned, except for weights of inputs whose
        class is gone as well.

        Args:
            masks: For each layer by name, bool of its kernel's shape; False for pruned weights.
        """
        gone = np.zeros(self.count, bool)
        while True:
            lives = np.zeros(self.count, bool)
            lives[FIXED] = True
            seen = np.zeros(self.count, bool)
            for node in self.products():
                classes = self.gives[node.name]
                seen[classes] = True
                alive = ~gone[self.reads[node.name]][:, None]
                if node.name in masks:
                    mask = masks[node.name]
                    alive = alive & mask.reshape(-1, *mask.shape[-2:]).any(axis=0)
                lives[classes[np.broadcast_to(alive.any(axis=0), classes.shape)]] = True
            now = seen & ~lives
            if (now == gone).all():
                return gone
            gone = now


def find_channels(model: Any) -> Channels:
    """The classes of a model's channels, from its configuration only; the model isn't run.

    Raises:
        InputError: if the model is neither Sequential nor Functional; see `layer_graph.walk`.
    """
    return _Tracer().trace(walk(model), output_layers(model))


@dataclass
class _Tracer:
    count: int = 1
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)
    reads: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    gives: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def trace(self, nodes: list[Node], outputs: list[str]) -> Channels:
        for node in nodes:
            inputs = [self.gives.get(name) for name in node.inputs]
            if not inputs and node.kind != "InputLayer":  # the first layer of a Sequential model
                inputs = [self._fixed(node.layer.input_shape)]
            known = [channels for channels in inputs if channels is not None]
            shape = node.layer.output_shape
            found = None
            if node.plain and known and len(known) == len(inputs) and isinstance(shape, tuple):
                found = self._result(node, known)
            if found is None:
                for channels in known:
                    self._fix(channels)
                found = self._fixed(shape)
            elif len(known) == 1:
                self.reads[node.name] = known[0]
            if found is not None:
                self.gives[node.name] = found
        for name in outputs:
            if name in self.gives:
                self._fix(self.gives[name])
        return self._classes(nodes)

    def _fixed(self, shape: Any) -> NDArray[np.int64] | None:
        """Channels that must stay, for a tensor of this shape; None if it isn't one tensor."""
        if isinstance(shape, list) and len(shape) == 1:  # an InputLayer's
            (shape,) = shape
        if not isinstance(shape, tuple) or not shape or not isinstance(shape[-1], int):
            return None
        return np.full(shape[-1], FIXED, np.int64)

    def _result(self, node: Node, inputs: list[NDArray[np.int64]]) -> NDArray[np.int64] | None:
        """The channels of a layer's result; None if it may need all channels of its inputs."""
        layer, kind, channels = node.layer, node.kind, inputs[0]
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        if kind in _MERGES:
            return self._merge(inputs)
        if kind == "Concatenate":
            return self._concatenate(layer, inputs)
        if len(inputs) > 1:
            return None
        if kind in _PRODUCTS or is_depthwise(layer) or kind.startswith("SeparableConv"):
            return self._product(layer, kind, channels)
        if kind in _ELEMENTWISE and _is_elementwise(layer):
            return channels
        if kind in _CHANNELWISE:
            return channels
        if kind == "BatchNormalization":
            axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis)
            last = len(layer.input_shape) - 1
            return channels if axis in (last, -1, (last,), (-1,)) else None
        if kind in ("Flatten", "Reshape", "Permute"):
            return self._moved(layer, kind, channels)
        return None

    def _product(
        self, layer: Any, kind: str, channels: NDArray[np.int64]
    ) -> NDArray[np.int64] | None:
        if getattr(layer, "groups", 1) != 1 and kind in _PRODUCTS:
            return None
        plain = _applies_to_elements(layer.activation)
        if is_depthwise(layer):
            return np.repeat(channels, layer.depth_multiplier) if plain else None
        size = layer.output_shape[-1]
        if kind.startswith("SeparableConv") or not plain:
            return np.zeros(size, np.int64)
        fresh = np.arange(self.count, self.count + size)
        self.count += size
        return fresh

    def _merge(self, inputs: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Tie channels element by element; an axis of length 1 is broadcast."""
        joined = np.broadcast_arrays(*inputs)
        for other in joined[1:]:
            self._join(joined[0], other)
        return joined[0]

    def _concatenate(self, layer: Any, inputs: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        rank = len(layer.output_shape)
        if layer.axis % rank == rank - 1:
            return np.concatenate(inputs)
        return self._merge(inputs)

    def _moved(
        self, layer: Any, kind: str, channels: NDArray[np.int64]
    ) -> NDArray[np.int64] | None:
        """The channels after elements are moved; channels that then share an index are tied."""
        shape, to = layer.input_shape[1:], layer.output_shape[1:]
        if None in shape or None in to:
            return None
        elements = np.broadcast_to(channels, shape)
        if kind == "Permute":
            elements = elements.transpose([axis - 1 for axis in layer.dims])
        pixels: NDArray[np.int64] = elements.reshape(-1, to[-1])
        self._join(np.broadcast_to(pixels[0], pixels.shape).ravel(), pixels.ravel())
        return np.asarray(pixels[0])

    def _join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        self.pairs.append((one, other))

    def _fix(self, channels: NDArray[np.int64]) -> None:
        self._join(channels, np.full_like(channels, FIXED))

    def _classes(self, nodes: list[Node]) -> Channels:
        ones = np.concatenate([one for one, _ in self.pairs])
        others = np.concatenate([other for _, other in self.pairs])
        links = coo_array((np.ones(len(ones), bool), (ones, others)), (self.count, self.count))
        count, label = connected_components(links, directed=False)
        label = label.astype(np.int64)
        assert label[FIXED] == FIXED  # labels are numbered in the order of their first members
        return Channels(
            nodes,
            {name: label[channels] for name, channels in self.reads.items()},
            {name: label[channels] for name, channels in self.gives.items()},
            int(count),
        )


def _is_elementwise(layer: Any) -> bool:
    kind = kind_of(layer)
    if kind != "Activation":
        return True
    return _applies_to_elements(getattr(layer, "quantizer", None) or layer.activation)


def _applies_to_elements(function: Any) -> bool:
    """Whether an activation treats each element separately, unlike softmax."""
    if function is None:
        return True
    if type(function).__module__.startswith("qkeras"):
        # A scale that is measured at run time depends on all elements.
        scale = getattr(function, "alpha", None)
        return type(function).__name__ in _QUANTIZERS and not isinstance(scale, str)
    return getattr(function, "__name__", "") in _FUNCTIONS
