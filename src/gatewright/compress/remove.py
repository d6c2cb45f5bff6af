"""Removes neurons and filters that are pruned as a whole, so that layers get smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.compress.channels import FIXED, Channels, find_channels
from gatewright.compress.layer_graph import KERNELS, Node, is_depthwise, quantized_kernel
from gatewright.compress.prune import Masks, hold
from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.quiet import import_keras

if TYPE_CHECKING:
    from numpy.typing import NDArray


def remove(model: Any, masks: Masks) -> tuple[Any, Masks]:
    """A smaller model that computes the same as the masked one.

    Neurons and filters without any weight left are removed, and so are the weights of their
    readers for them. If such a neuron has a constant result other than zero, such as the sigmoid of
    zero, it is added to its readers' biases. If that can't be exact, the neuron stays, pruned: if a
    reader pads its input, has no bias, or has a bias quantizer that can't hold the sum. The last
    neuron of a layer stays too.

    The results differ from the masked model's only by the order in which floats are added. They are
    equal if sums are exact, as in a QKeras model with quantized inputs.

    Args:
        model: A Keras or QKeras model, Sequential or Functional; it doesn't change.
        masks: Masks by layer, bool of the kernel's shape; False for pruned weights.

    Returns:
        The smaller model with the same names of layers, and the masks of its layers.

    Raises:
        InputError: if a mask fits no layer's kernel, the model is neither Sequential nor
            Functional, or an input has an axis of unknown length.
        UnsupportedError: if a quantizer would change the weights of a smaller layer.
    """
    keras = import_keras("tf_keras")
    masked = keras.models.clone_model(model, clone_function=_clone)
    masked.set_weights(model.get_weights())
    hold(masked, masks)
    channels = find_channels(masked)
    removal = _plan(masked, channels, channels.gone(masks))
    nodes = {node.name: node for node in channels.nodes}
    smaller = keras.models.clone_model(
        masked, clone_function=lambda layer: removal.shrunk(nodes[layer.name])
    )
    for node in channels.nodes:
        if node.layer.weights:
            removal.fill(node, smaller.get_layer(node.name))
    return smaller, {
        name: _take(mask, removal.stays(nodes[name])[0]) for name, mask in masks.items()
    }


def _clone(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


#: For axes of an array, which indices stay.
_Axes = dict[int, "NDArray[np.bool_]"]


@dataclass(frozen=True)
class _Removal:
    """What is removed from a model.

    Attributes:
        channels: The classes of the model's channels.
        gone: Which classes are removed, bool of shape (channels.count,).
        constants: For layers by name, what their sums lose with the inputs that are removed,
            float64 [channels]; it goes into their biases.
    """

    channels: Channels
    gone: NDArray[np.bool_]
    constants: Mapping[str, NDArray[np.float64]]

    def _read(self, name: str) -> NDArray[np.bool_]:
        return ~self.gone[self.channels.reads[name]]

    def _given(self, name: str) -> NDArray[np.bool_]:
        return ~self.gone[self.channels.gives[name]]

    def shrunk(self, node: Node) -> Any:
        """A new layer with the width that is left."""
        config = node.layer.get_config()
        if node.name in self.channels.gives:
            width = int(self._given(node.name).sum())
            for key in {"units", "filters"} & set(config):
                config[key] = width
            if node.kind == "Reshape":
                config["target_shape"] = (*node.layer.output_shape[1:-1], width)
        return type(node.layer).from_config(config)

    def stays(self, node: Node) -> list[_Axes]:
        """What stays of each of a layer's weights, in Keras' order."""
        layer, count = node.layer, len(node.layer.weights)
        if node.name not in self.channels.reads:
            return [{}] * count
        read, given = self._read(node.name), self._given(node.name)
        if node.kind.startswith("SeparableConv"):
            return [{-2: read}, {-2: np.repeat(read, layer.depth_multiplier)}, {}][:count]
        if node.kind in KERNELS:
            kernel = {-2: read} if is_depthwise(layer) else {-2: read, -1: given}
            return [kernel, {-1: given}][:count]
        # One for each channel, as in a batch normalization, or one for all channels.
        return [{-1: given} if weight.shape[-1] > 1 else {} for weight in layer.weights]

    def fill(self, node: Node, layer: Any) -> None:
        """Give a new layer what stays of the weights of its original.

        Raises:
            UnsupportedError: if its quantizers would change these weights.
        """
        stays = self.stays(node)
        weights = node.layer.get_weights()
        if node.name in self.constants:
            weights[-1] = _bias(node.layer) + self.constants[node.name]
        layer.set_weights([_take(*pair) for pair in zip(weights, stays, strict=True)])
        quantizers = node.layer.get_quantizers() if hasattr(node.layer, "get_quantizers") else []
        for before, after, axes, quantizer in zip(
            weights, layer.get_weights(), stays, quantizers, strict=False
        ):
            if quantizer is None:
                continue
            wanted = _take(np.asarray(quantizer(before.astype(np.float32))), axes)
            if not np.array_equal(np.asarray(quantizer(after)), wanted):
                raise UnsupportedError(
                    f"layer '{node.name}': without its pruned weights the others would be "
                    f"quantized differently, since all share one scale; give its quantizer a "
                    "fixed scale (alpha)"
                )


def _take(array: NDArray[Any], axes: _Axes) -> NDArray[Any]:
    for axis, stays in axes.items():
        array = np.compress(stays, array, axis)
    return array


def _quantizer(layer: Any) -> Any:
    """QKeras' quantizer of a layer's bias; None if it has none."""
    return layer.bias_quantizer_internal if getattr(layer, "bias_quantizer", None) else None


def _bias(layer: Any) -> NDArray[np.float64]:
    """The bias that a layer adds: quantized if it has a quantizer."""
    quantizer = _quantizer(layer)
    return np.asarray(layer.bias if quantizer is None else quantizer(layer.bias), np.float64)


def _plan(model: Any, channels: Channels, gone: NDArray[np.bool_]) -> _Removal:
    """Which of the classes that depend on no input can be removed, and what their readers lose."""
    dead, gone = gone, gone.copy()
    readers = [
        node
        for node in channels.nodes
        if node.name in channels.reads
        and (node.kind in KERNELS or node.kind.startswith("SeparableConv"))
        and not is_depthwise(node.layer)
        and gone[channels.reads[node.name]].any()
    ]
    values = _values(model, [node.layer for node in readers])
    while True:
        before = gone.copy()
        for classes in channels.gives.values():
            if classes.size and gone[classes].all():
                gone[classes[0]] = False
        constants = {}
        for node in readers:
            classes = channels.reads[node.name]
            going = gone[classes]
            lost, stuck = _constant(node, values[node.name], going)
            if lost is not None and _is_held(channels.gives[node.name], lost, dead & ~gone):
                lost, stuck = None, np.flatnonzero(going & values[node.name].any(axis=0))
            gone[classes[stuck]] = False
            if lost is not None:
                constants[node.name] = lost
        if (gone == before).all():
            assert not gone[FIXED]
            return _Removal(channels, gone, constants)


def _is_held(
    classes: NDArray[np.int64], lost: NDArray[np.float64], pruned: NDArray[np.bool_]
) -> bool:
    """Whether a pruned neuron that stays would need a bias, which `hold` keeps at zero.

    Args:
        classes: The classes of a layer's neurons.
        lost: What must be added to their biases.
        pruned: Which classes are pruned but stay.
    """
    return bool(lost[pruned[classes]].any())


def _values(model: Any, layers: list[Any]) -> dict[str, NDArray[np.float64]]:
    """The inputs of layers by name, [pixels, channels], if the model's inputs are zero."""
    if not layers:
        return {}
    zeros = []
    for tensor in model.inputs:
        if None in tensor.shape[1:]:
            raise InputError(
                f"input '{tensor.name}' has an axis of unknown length; give the model a fixed shape"
            )
        zeros.append(np.zeros((1, *tensor.shape[1:]), tensor.dtype.as_numpy_dtype))
    look = import_keras("tf_keras").Model(model.inputs, [layer.input for layer in layers])
    found = look(zeros if len(zeros) > 1 else zeros[0], training=False)
    found = found if isinstance(found, list) else [found]
    return {
        layer.name: np.asarray(tensor, np.float64).reshape(-1, tensor.shape[-1])
        for layer, tensor in zip(layers, found, strict=True)
    }


def _constant(
    node: Node, values: NDArray[np.float64], going: NDArray[np.bool_]
) -> tuple[NDArray[np.float64] | None, NDArray[np.intp]]:
    """What a layer's sums lose with channels of its input that are removed.

    Args:
        node: The layer.
        values: The constant input [pixels, channels].
        going: Which channels are removed.

    Returns:
        What must be added to its bias, float64 [channels of the result], or None for nothing; and
        the input channels that must stay because their part can't be added to the bias.
    """
    layer = node.layer
    nothing = np.zeros(0, np.intp)
    loud = np.flatnonzero(going & values.any(axis=0))
    if not loud.size:
        return None, nothing
    uneven = loud[(values[:, loud] != values[0, loud]).any(axis=0)]
    if uneven.size:
        return None, uneven
    padded = getattr(layer, "padding", "valid") != "valid"
    if padded or node.kind.startswith("SeparableConv") or not layer.use_bias:
        return None, loud
    weights = quantized_kernel(layer).astype(np.float64)
    weights = weights.reshape(-1, *weights.shape[-2:]).sum(axis=0)[loud]
    lost = values[0, loud] @ weights
    quantizer = _quantizer(layer)
    if quantizer is not None:
        bias = _bias(layer) + lost
        if not np.array_equal(np.asarray(quantizer(bias.astype(np.float32)), np.float64), bias):
            return None, loud
    return lost, nothing
