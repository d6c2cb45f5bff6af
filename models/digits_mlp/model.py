"""Handwritten digits: a 64-32-16-10 multilayer perceptron that ends in logits.

The data is scikit-learn's digits, 1,797 scans of 8x8 pixels of 17 grey levels (UCI's test set of
optical recognition of handwritten digits). TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.zoo import LayerBits

WIDTHS = {"hidden1": 32, "hidden2": 16, "logits": 10}
# Hidden activations saturate at 4, or at 2 where they have 2 bits: at least one bit is fraction.
# Weights saturate at +-1: all their bits but the sign are fraction.
ACTIVATION_INTEGER_BITS = 2
# A light pull towards zero: a weight that becomes zero costs no adder.
L1 = 1e-4


def load_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test set, in a fixed split of three to one that keeps the classes' shares.

    Returns:
        x_train, y_train, x_test, y_test: x is float32 [n, 64], pixels from 0 to 1 in steps of 1/16;
        y is int64 [n], the digit.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        (pixels / 16).astype(np.float32), digits, test_size=0.25, stratify=digits, random_state=0
    )
    return x_train, y_train, x_test, y_test


def build(bits: Mapping[str, LayerBits] | None) -> Any:
    """The untrained tf-keras model, quantized to `bits` per layer; None gives the float model."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu
    from tf_keras import Input, Model, layers, regularizers

    tensor = inputs = Input((64,), name="pixels")
    for name, width in WIDTHS.items():
        if bits is None:
            tensor = layers.Dense(width, name=name, kernel_regularizer=regularizers.l1(L1))(tensor)
        else:
            tensor = QDense(
                width,
                name=name,
                kernel_quantizer=quantized_bits(bits[name].weights, 0, alpha=1),
                bias_quantizer=quantized_bits(bits[name].weights, 0, alpha=1),
                kernel_regularizer=regularizers.l1(L1),
            )(tensor)
        if name == "logits":
            break
        if bits is None:
            tensor = layers.ReLU(name=f"{name}_relu")(tensor)
        else:
            width = bits[name].activations
            relu = quantized_relu(width, min(ACTIVATION_INTEGER_BITS, width - 1))
            tensor = QActivation(relu, name=f"{name}_relu")(tensor)
    return Model(inputs, tensor, name="digits_mlp")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
