"""A 6-bit QKeras network of CIFAR-10's shape: 32x32x3, three stages of 32 filters, dense 24-10.

A stage is two 3x3 convolutions with a pooling behind them. CIFAR-10 must be fetched; this network
is trained on scikit-learn's digits enlarged to 32x32 pixels, each in a colour of its own.
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
    """The trained tf-keras model of 59,698 parameters; all of its numbers have `bits` bits."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras as keras

    from benchmarks._digits import train
    from gatewright.zoo import LayerBits
    from gatewright.zoo.layers import Layers

    keras.utils.set_random_seed(7)
    stages = [[f"conv{stage}_{half}" for half in "ab"] for stage in range(1, STAGES + 1)]
    names = [*(name for stage in stages for name in stage), "hidden", "logits"]
    widths = dict.fromkeys(names, LayerBits(weights=bits, activations=bits))
    make = Layers(widths, relu_integer=2, l1=0.0)
    tensor = inputs = keras.Input((32, 32, 3), name="pixels")
    for stage, convolutions in enumerate(stages, 1):
        for name in convolutions:
            tensor = make.relu(name)(make.conv2d(name, FILTERS, 3, padding="same")(tensor))
        tensor = keras.layers.MaxPooling2D(2, name=f"pool{stage}")(tensor)
    tensor = keras.layers.Flatten(name="flat")(tensor)
    tensor = make.relu("hidden")(make.dense("hidden", HIDDEN)(tensor))
    outputs = make.dense("logits", 10)(tensor)
    return train(keras.Model(inputs, outputs, name="cifar_cnn"), 32, 3, EPOCHS)
