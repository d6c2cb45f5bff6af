"""A 6-bit QKeras network of MNIST's shape: 28x28x1, two 3x3 convolutions of 16 filters, dense 10.

MNIST must be fetched; this network is trained on scikit-learn's digits enlarged to 28x28 pixels.
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
    from gatewright.zoo import LayerBits
    from gatewright.zoo.layers import Layers

    keras.utils.set_random_seed(7)
    names = ("conv1", "conv2", "logits")
    widths = dict.fromkeys(names, LayerBits(weights=bits, activations=bits))
    make = Layers(widths, relu_integer=2, l1=0.0)
    tensor = inputs = keras.Input((28, 28, 1), name="pixels")
    for index in (1, 2):
        tensor = make.relu(f"conv{index}")(make.conv2d(f"conv{index}", 16, 3)(tensor))
        tensor = keras.layers.MaxPooling2D(2, name=f"pool{index}")(tensor)
    outputs = make.dense("logits", 10)(keras.layers.Flatten(name="flat")(tensor))
    return train(keras.Model(inputs, outputs, name="mnist_cnn"), 28, 1, EPOCHS)
