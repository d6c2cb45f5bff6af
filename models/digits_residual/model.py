"""Handwritten digits: a residual network, whose skip connections wait for two convolutions.

TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import Any

from gatewright.zoo.data import digits

load_data = digits


def build(narrow: int = 6, wide: int = 10) -> Any:
    """The untrained tf-keras model.

    Args:
        narrow: Filters of the stem and the first block.
        wide: Filters of the second block.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    sparse = regularizers.l1(1e-4)

    def conv(name: str, filters: int, size: int, **options: Any) -> Any:
        return layers.Conv2D(filters, size, kernel_regularizer=sparse, name=name, **options)

    def relu(name: str) -> Any:
        return layers.ReLU(name=f"{name}_relu")

    inputs = Input((8, 8, 1), name="pixels")
    stem = relu("stem")(conv("stem", narrow, 3, padding="same")(inputs))
    # The skip connection is the stem itself.
    branch = relu("block1_a")(conv("block1_a", narrow, 3, padding="same")(stem))
    branch = conv("block1_b", narrow, 3, padding="same")(branch)
    joined = relu("block1_b")(layers.Add(name="block1_join")([stem, branch]))
    # Half the rows and columns: the skip connection is a pointwise convolution.
    branch = conv("block2_a", wide, 3, strides=2, padding="same")(joined)
    branch = relu("block2_a")(branch)
    branch = conv("block2_b", wide, 3, padding="same")(branch)
    skip = conv("block2_skip", wide, 1, strides=2)(joined)
    joined = relu("block2_b")(layers.Add(name="block2_join")([skip, branch]))
    pooled = layers.MaxPooling2D(2, name="pool")(joined)
    flat = layers.Flatten(name="flat")(pooled)
    outputs = layers.Dense(10, kernel_regularizer=sparse, name="logits")(flat)
    return Model(inputs, outputs, name="digits_residual")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
