"""Batch normalization folding into the weights of the layer before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatewright.compress.editable_model import Network, Node
from gatewright.frontend.quiet import import_keras


def fold_batchnorms(network: Network) -> None:
    """Fold each batch normalization that directly follows a layer with kernels into that layer.

    At inference a batch normalization multiplies each channel by a factor and adds a bias. Folded
    into the layer's weights, the model computes the same up to the rounding of floats, and the
    normalization costs no hardware. A normalization after any other layer stays, and so does one
    whose layer has other readers or is an output.
    """
    for norm in network:
        if norm.kind != "BatchNormalization":
            continue
        (before,) = norm.inputs
        node = network[before]
        alone = len(network.readers(before)) == 1 and before not in network.outputs
        if node.kernels and alone and _normalizes_channels(norm):
            network.put(_folded(node, norm))
            network.remove(norm.name)


def _normalizes_channels(norm: Node) -> bool:
    """Whether a normalization is Keras' own and works along the last axis."""
    keras = import_keras("tf_keras")
    if norm.made_of is not keras.layers.BatchNormalization:
        return False
    axes = norm.config["axis"]
    axis = axes[0] if isinstance(axes, list | tuple) and len(axes) == 1 else axes
    return bool(axis in (-1, len(norm.shape)))


def _folded(node: Node, norm: Node) -> Node:
    weights = [weight.astype(np.float64) for weight in norm.weights]
    gamma = weights.pop(0) if norm.config["scale"] else 1.0
    beta = weights.pop(0) if norm.config["center"] else 0.0
    mean, variance = weights
    factor = gamma / np.sqrt(variance + norm.config["epsilon"])
    *kernels, last = node.kernels.values()
    # The last axes of a depthwise kernel are the input channels and the outputs for each.
    shape = last.shape[-2:] if node.kind.startswith("Depthwise") else last.shape[-1:]
    bias = 0.0 if node.bias is None else node.bias
    return replace(
        node,
        config={**node.config, "use_bias": True},
        weights=(
            *kernels,
            (last * factor.reshape(shape)).astype(np.float32),
            ((bias - mean) * factor + beta).astype(np.float32),
        ),
    )
