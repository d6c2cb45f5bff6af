"""Breast cancer diagnosis: a residual network of two branches that ends in softmax.

The data is scikit-learn's breast_cancer, 569 tumours of 30 measured features, malignant or benign
(the diagnostic data of Wisconsin). TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gatewright.zoo.data import Split

FEATURES = 30
CLASSES = 2


def load_data() -> Split:
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


def build(width: int = 16) -> Any:
    """The untrained tf-keras model.

    Args:
        width: Neurons of either branch.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A strong pull towards zero: there are more weights than tumours.
    sparse = regularizers.l1(2e-3)

    def dense(name: str, units: int) -> Any:
        return layers.Dense(units, kernel_regularizer=sparse, name=name)

    inputs = Input((FEATURES,), name="features")
    trunk = layers.ReLU(name="hidden_relu")(dense("hidden", width)(inputs))
    branch = layers.Activation("tanh", name="residual_tanh")(dense("residual", width)(trunk))
    joined = layers.Add(name="join")([trunk, branch])
    outputs = layers.Activation("softmax", name="softmax")(dense("logits", CLASSES)(joined))
    return Model(inputs, outputs, name="breast_cancer_residual")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy()
