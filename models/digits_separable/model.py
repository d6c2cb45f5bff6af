"""Handwritten digits: a depthwise-separable network in MobileNet's manner.

A full convolution, then two blocks of a depthwise 3x3 and a pointwise 1x1 convolution with a relu
behind each, then average pooling and a dense layer to logits. TensorFlow is imported only where a
model is built.
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
    from tf_keras import Input, Model, initializers, layers

    make = Layers(bits, relu_integer=2, l1=3e-5)
    tensor = inputs = Input((8, 8, 1), name="pixels")
    tensor = make.relu("stem")(make.conv2d("stem", 8, 3, padding="same")(tensor))
    for block, filters, strides in (1, 16, 2), (2, 24, 1):
        depthwise, pointwise = f"depthwise{block}", f"pointwise{block}"
        # Keras' own choice takes the channels for inputs of one sum: too small to learn from.
        initial = initializers.RandomUniform(-0.5, 0.5)
        tensor = make.depthwise2d(
            depthwise, 3, strides=strides, padding="same", depthwise_initializer=initial
        )(tensor)
        tensor = make.relu(depthwise)(tensor)
        tensor = make.conv2d(pointwise, filters, 1)(tensor)
        tensor = make.relu(pointwise)(tensor)
    tensor = layers.AveragePooling2D(2, name="mean")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    return Model(inputs, make.dense("logits", 10)(tensor), name="digits_separable")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
