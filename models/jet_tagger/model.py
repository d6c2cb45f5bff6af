"""Jets at the Large Hadron Collider: a 16-64-32-32-5 multilayer perceptron tells their origins.

The data is `hls4ml_lhc_jets_hlf` of OpenML: 830,000 simulated jets of 16 high-level features each,
that come of a gluon, a light quark, a W, a Z or a top quark (Duarte et al., 2018, "Fast inference
of deep neural networks in FPGAs for particle physics"). It is fetched once, 150 MB, and kept in the
user's cache. TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import InputError
from gatewright.system.cache import cache_dir

if TYPE_CHECKING:
    from gatewright.zoo.data import Split

DATA = "hls4ml_lhc_jets_hlf"
FEATURES = 16
CLASSES = 5


def load_data() -> Split:
    """Training and test set, in a fixed split of four to one that keeps the classes' shares.

    Returns:
        x_train, y_train, x_test, y_test: x is float32 [n, 16], features of mean 0 and standard
        deviation 1 over the training set; y is int64 [n], the class in the order g, q, t, w, z.

    Raises:
        InputError: if the data is not in the cache and can't be fetched.
    """
    from sklearn.datasets import fetch_openml
    from sklearn.model_selection import train_test_split

    home = cache_dir() / "openml"
    try:
        features, labels = fetch_openml(
            DATA, version=1, data_home=home, return_X_y=True, as_frame=False, parser="pandas",
            n_retries=1,
        )  # fmt: skip
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"the jet data ({DATA} of OpenML) is not in {home} and can't be fetched: {reason}; "
            "connect to the network once"
        ) from error
    _, y = np.unique(labels, return_inverse=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features, y.astype(np.int64), test_size=0.2, stratify=y, random_state=0
    )
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (((x - mean) / deviation).astype(np.float32) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def build(hidden1: int = 64, hidden2: int = 32, hidden3: int = 32) -> Any:
    """The untrained tf-keras model.

    Args:
        hidden1: Neurons of the first hidden layer.
        hidden2: Neurons of the second.
        hidden3: Neurons of the third.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    def dense(name: str, units: int) -> Any:
        return layers.Dense(units, kernel_regularizer=regularizers.l1(1e-4), name=name)

    tensor = inputs = Input((FEATURES,), name="features")
    for name, units in ("hidden1", hidden1), ("hidden2", hidden2), ("hidden3", hidden3):
        tensor = layers.ReLU(name=f"{name}_relu")(dense(name, units)(tensor))
    return Model(inputs, dense("logits", CLASSES)(tensor), name="jet_tagger")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
