"""Handwritten digits: two convolutions with pooling between them, then a dense layer to logits.

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
    tensor = inputs = Input((8, 8, 1), name="pixels")
    tensor = make.conv2d("conv1", 8, 3, padding="same")(tensor)
    tensor = make.relu("conv1")(tensor)
    tensor = layers.MaxPooling2D(2, name="pool1")(tensor)
    tensor = make.conv2d("conv2", 12, 3)(tensor)
    tensor = make.relu("conv2")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    return Model(inputs, make.dense("logits", 10)(tensor), name="digits_cnn")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
