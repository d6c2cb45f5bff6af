"""Breast cancer diagnosis: a residual network of two branches that ends in softmax.

The data is scikit-learn's breast_cancer, 569 tumours of 30 measured features, malignant or benign
(the diagnostic data of Wisconsin). TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.zoo import LayerBits

FEATURES = 30
WIDTH = 16
CLASSES = 2
# The relu saturates at 2; weights stay within +-1: all bits of a weight but the sign are fraction.
RELU_INTEGER_BITS = 1
# A strong pull towards zero: there are more weights than tumours.
L1 = 2e-3


def load_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test set, in a fixed split of two to one that keeps the classes' shares.

    Returns:
        x_train, y_train, x_test, y_test: x is float32 [n, 30], features of mean 0 and standard
        deviation 1 over the training set; y is int64 [n], 0 malignant and 1 benign.
    """
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    features, diagnosis = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features, diagnosis, test_size=1 / 3, stratify=diagnosis, random_state=0
    )
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (((x - mean) / deviation).astype(np.float32) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def build(bits: Mapping[str, LayerBits] | None) -> Any:
    """The untrained tf-keras model, quantized to `bits` per layer; None gives the float model."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu, quantized_tanh
    from tf_keras import Input, Model, layers, regularizers

    def dense(width: int, name: str) -> Any:
        if bits is None:
            return layers.Dense(width, name=name, kernel_regularizer=regularizers.l1(L1))
        return QDense(
            width,
            name=name,
            kernel_quantizer=quantized_bits(bits[name].weights, 0, alpha=1),
            bias_quantizer=quantized_bits(bits[name].weights, 0, alpha=1),
            kernel_regularizer=regularizers.l1(L1),
        )

    def relu(name: str) -> Any:
        if bits is None:
            return layers.ReLU(name=f"{name}_relu")
        return QActivation(
            quantized_relu(bits[name].activations, RELU_INTEGER_BITS), name=f"{name}_relu"
        )

    def tanh(name: str) -> Any:
        if bits is None:
            return layers.Activation("tanh", name=f"{name}_tanh")
        return QActivation(quantized_tanh(bits[name].activations), name=f"{name}_tanh")

    inputs = Input((FEATURES,), name="features")
    trunk = relu("hidden")(dense(WIDTH, "hidden")(inputs))
    branch = tanh("residual")(dense(WIDTH, "residual")(trunk))
    joined = layers.Add(name="join")([trunk, branch])
    outputs = layers.Activation("softmax", name="softmax")(dense(CLASSES, "logits")(joined))
    return Model(inputs, outputs, name="breast_cancer_residual")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy()
