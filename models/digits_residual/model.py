"""Handwritten digits: a residual network, whose skip connections wait for two convolutions.

TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.zoo.data import digits
from gatewright.zoo.layers import Layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.zoo import LayerBits

load_data = digits


def build(bits: Mapping[str, LayerBits] | None) -> Any:
    """The untrained tf-keras model, quantized to `bits` per layer; None gives the float model."""
    from tf_keras import Input, Model, layers

    make = Layers(bits, relu_integer=2, l1=1e-4)
    inputs = Input((8, 8, 1), name="pixels")
    stem = make.relu("stem")(make.conv2d("stem", 6, 3, padding="same")(inputs))
    # The skip connection is the stem itself.
    branch = make.relu("block1_a")(make.conv2d("block1_a", 6, 3, padding="same")(stem))
    branch = make.conv2d("block1_b", 6, 3, padding="same")(branch)
    joined = make.relu("block1_b")(layers.Add(name="block1_join")([stem, branch]))
    # Half the rows and columns: the skip connection is a pointwise convolution.
    branch = make.conv2d("block2_a", 10, 3, strides=2, padding="same")(joined)
    branch = make.relu("block2_a")(branch)
    branch = make.conv2d("block2_b", 10, 3, padding="same")(branch)
    skip = make.conv2d("block2_skip", 10, 1, strides=2)(joined)
    joined = make.relu("block2_b")(layers.Add(name="block2_join")([skip, branch]))
    pooled = layers.MaxPooling2D(2, name="pool")(joined)
    outputs = make.dense("logits", 10)(layers.Flatten(name="flat")(pooled))
    return Model(inputs, outputs, name="digits_residual")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
