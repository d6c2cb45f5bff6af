"""A 6-bit QKeras network of MNIST's shape: 28x28x1, two 3x3 convolutions of 16 filters, dense 10.

MNIST must be downloaded, so this network is trained on scikit-learn's digits enlarged to 28x28
pixels.
"""

from __future__ import annotations

import os
from typing import Any

INPUT_PRECISION = "ufixed<8,0>"
EPOCHS = 6


def mnist_cnn(bits: int = 6) -> Any:
    """The trained tf-keras model; weights, biases and activations have `bits` bits."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras as keras

    from benchmarks._digits import train
    from gatewright.compress.bits import LayerBits
    from gatewright.compress.quantize import quantize

    keras.utils.set_random_seed(7)
    layers, start = keras.layers, {"kernel_initializer": "he_normal"}
    tensor = inputs = keras.Input((28, 28, 1), name="pixels")
    for index in (1, 2):
        tensor = layers.Conv2D(16, 3, name=f"conv{index}", **start)(tensor)
        tensor = layers.ReLU(name=f"conv{index}_relu")(tensor)
        tensor = layers.MaxPooling2D(2, name=f"pool{index}")(tensor)
    outputs = layers.Dense(10, name="logits", **start)(layers.Flatten(name="flat")(tensor))
    model = keras.Model(inputs, outputs, name="mnist_cnn")
    widths = {"default": LayerBits(weights=bits, activations=bits)}
    return train(quantize(model, widths, relu_integer=2), 28, 1, EPOCHS)
