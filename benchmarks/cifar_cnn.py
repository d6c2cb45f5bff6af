"""A 6-bit QKeras network of CIFAR-10's shape: 32x32x3, three stages of 32 filters, dense 24-10.

A stage is two 3x3 convolutions followed by a pooling. CIFAR-10 must be downloaded, so this network
is trained on scikit-learn's digits enlarged to 32x32 pixels, each in another colour.
"""

from __future__ import annotations

import os
from typing import Any

INPUT_PRECISION = "ufixed<8,0>"
FILTERS = 32
STAGES = 3
HIDDEN = 24
EPOCHS = 2


def cifar_cnn(bits: int = 6) -> Any:
    """The trained tf-keras model; its 59,698 parameters and its activations have `bits` bits."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras as keras

    from benchmarks._digits import train
    from gatewright.compress.bits import LayerBits
    from gatewright.compress.quantize import quantize

    keras.utils.set_random_seed(7)
    layers, start = keras.layers, {"kernel_initializer": "he_normal"}
    tensor = inputs = keras.Input((32, 32, 3), name="pixels")
    for stage in range(1, STAGES + 1):
        for half in "ab":
            name = f"conv{stage}_{half}"
            tensor = layers.Conv2D(FILTERS, 3, padding="same", name=name, **start)(tensor)
            tensor = layers.ReLU(name=f"{name}_relu")(tensor)
        tensor = layers.MaxPooling2D(2, name=f"pool{stage}")(tensor)
    tensor = layers.Dense(HIDDEN, name="hidden", **start)(layers.Flatten(name="flat")(tensor))
    tensor = layers.ReLU(name="hidden_relu")(tensor)
    model = keras.Model(inputs, layers.Dense(10, name="logits", **start)(tensor), name="cifar_cnn")
    widths = {"default": LayerBits(weights=bits, activations=bits)}
    return train(quantize(model, widths, relu_integer=2), 32, 3, EPOCHS)
