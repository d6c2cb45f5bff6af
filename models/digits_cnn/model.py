"""Handwritten digits: two convolutions with pooling between them, then a dense layer to logits.

TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import Any

from gatewright.zoo.data import digits

load_data = digits


def build(conv1: int = 8, conv2: int = 12, classes: int = 10) -> Any:
    """The untrained tf-keras model.

    Args:
        conv1: Filters of the first convolution.
        conv2: Filters of the second.
        classes: How many are told apart.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    sparse = regularizers.l1(1e-4)
    tensor = inputs = Input((8, 8, 1), name="pixels")
    tensor = layers.Conv2D(conv1, 3, padding="same", kernel_regularizer=sparse, name="conv1")(
        tensor
    )
    tensor = layers.ReLU(name="conv1_relu")(tensor)
    tensor = layers.MaxPooling2D(2, name="pool1")(tensor)
    tensor = layers.Conv2D(conv2, 3, kernel_regularizer=sparse, name="conv2")(tensor)
    tensor = layers.ReLU(name="conv2_relu")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    outputs = layers.Dense(classes, kernel_regularizer=sparse, name="logits")(tensor)
    return Model(inputs, outputs, name="digits_cnn")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
