"""Handwritten digits: a multilayer perceptron that ends in logits.

TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatewright.zoo.data import digits

if TYPE_CHECKING:
    from gatewright.zoo.data import Split

PIXELS = 64


def load_data(classes: Sequence[int] = range(10)) -> Split:
    """The digits as rows of pixels, see `gatewright.zoo.data.digits`."""
    x_train, y_train, x_test, y_test = digits(classes)
    return x_train.reshape(-1, PIXELS), y_train, x_test.reshape(-1, PIXELS), y_test


def build(hidden1: int = 32, hidden2: int = 16, classes: int = 10) -> Any:
    """The untrained tf-keras model.

    Args:
        hidden1: Neurons of the first hidden layer.
        hidden2: Neurons of the second.
        classes: How many are told apart.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    def dense(name: str, units: int) -> Any:
        return layers.Dense(units, kernel_regularizer=regularizers.l1(1e-4), name=name)

    tensor = inputs = Input((PIXELS,), name="pixels")
    for name, units in ("hidden1", hidden1), ("hidden2", hidden2):
        tensor = layers.ReLU(name=f"{name}_relu")(dense(name, units)(tensor))
    return Model(inputs, dense("logits", classes)(tensor), name="digits_mlp")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
