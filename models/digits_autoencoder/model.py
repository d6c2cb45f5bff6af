"""Handwritten digits through a bottleneck: an autoencoder that gives back its own pixels.

Trained on what is usual, such a network reconstructs badly what is not, so it serves as a trigger
for anomalies. TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatewright.zoo.data import digits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float32]

PIXELS = 64


def load_data(classes: Sequence[int] = range(10)) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """The digits as rows of pixels, see `gatewright.zoo.data.digits`, as inputs and as targets."""
    x_train, _, x_test, _ = digits(classes)
    x_train, x_test = x_train.reshape(-1, PIXELS), x_test.reshape(-1, PIXELS)
    return x_train, x_train, x_test, x_test


def build(wide: int = 24, code: int = 8) -> Any:
    """The untrained tf-keras model.

    Args:
        wide: Neurons on both sides of the bottleneck.
        code: Neurons of the bottleneck.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    def dense(name: str, units: int) -> Any:
        return layers.Dense(units, kernel_regularizer=regularizers.l1(1e-5), name=name)

    tensor = inputs = Input((PIXELS,), name="pixels")
    for name, units in ("encoder", wide), ("code", code), ("decoder", wide):
        tensor = layers.ReLU(name=f"{name}_relu")(dense(name, units)(tensor))
    return Model(inputs, dense("reconstruction", PIXELS)(tensor), name="digits_autoencoder")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import MeanSquaredError

    return MeanSquaredError()


def metric() -> str:
    """What is measured of its outputs."""
    return "mean squared error"
