"""Handwritten digits: a depthwise-separable network in MobileNet's manner.

A full convolution, then two blocks of a depthwise 3x3 and a pointwise 1x1 convolution with a relu
behind each, then average pooling and a dense layer to logits. TensorFlow is imported only where a
model is built.
"""

from __future__ import annotations

from typing import Any

from gatewright.zoo.data import digits

load_data = digits


def build(stem: int = 8, pointwise1: int = 16, pointwise2: int = 24) -> Any:
    """The untrained tf-keras model.

    Args:
        stem: Filters of the full convolution.
        pointwise1: Filters of the first block.
        pointwise2: Filters of the second.
    """
    from tf_keras import Input, Model, initializers, layers, regularizers

    # A weight that becomes zero costs no adder.
    sparse = regularizers.l1(3e-5)

    def relu(name: str) -> Any:
        return layers.ReLU(name=f"{name}_relu")

    tensor = inputs = Input((8, 8, 1), name="pixels")
    tensor = layers.Conv2D(stem, 3, padding="same", kernel_regularizer=sparse, name="stem")(tensor)
    tensor = relu("stem")(tensor)
    for block, filters, strides in (1, pointwise1, 2), (2, pointwise2, 1):
        depthwise, pointwise = f"depthwise{block}", f"pointwise{block}"
        tensor = layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same",
            # Keras' own choice takes the channels for inputs of one sum: too small to learn from.
            depthwise_initializer=initializers.RandomUniform(-0.5, 0.5),
            depthwise_regularizer=sparse,
            name=depthwise,
        )(tensor)
        tensor = relu(depthwise)(tensor)
        tensor = layers.Conv2D(filters, 1, kernel_regularizer=sparse, name=pointwise)(tensor)
        tensor = relu(pointwise)(tensor)
    tensor = layers.AveragePooling2D(2, name="mean")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    outputs = layers.Dense(10, kernel_regularizer=sparse, name="logits")(tensor)
    return Model(inputs, outputs, name="digits_separable")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
