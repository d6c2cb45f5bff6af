"""Handwritten digits: a 64-32-16-10 multilayer perceptron that ends in logits.

TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.zoo.data import digits
from gatewright.zoo.layers import Layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.zoo import LayerBits
    from gatewright.zoo.data import Split

PIXELS = 64


def load_data() -> Split:
    """The digits as rows of pixels, see `gatewright.zoo.data.digits`."""
    x_train, y_train, x_test, y_test = digits()
    return x_train.reshape(-1, PIXELS), y_train, x_test.reshape(-1, PIXELS), y_test


def build(bits: Mapping[str, LayerBits] | None) -> Any:
    """The untrained tf-keras model, quantized to `bits` per layer; None gives the float model."""
    from tf_keras import Input, Model

    make = Layers(bits, relu_integer=2, l1=1e-4)
    tensor = inputs = Input((PIXELS,), name="pixels")
    tensor = make.relu("hidden1")(make.dense("hidden1", 32)(tensor))
    tensor = make.relu("hidden2")(make.dense("hidden2", 16)(tensor))
    return Model(inputs, make.dense("logits", 10)(tensor), name="digits_mlp")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
