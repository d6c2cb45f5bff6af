"""scikit-learn's digits enlarged to the image sizes of larger networks, and a short training.

MNIST and CIFAR-10 must be downloaded. Networks of the same shapes trained on these images also have
realistic weights: their sizes, signs and zeros come from training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pictures(size: int, channels: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All digits as float32 [n, size, size, channels] from 0 to 1 in steps of 1/256, and labels.

    Pixels are interpolated linearly. With several channels, each image has a random colour from a
    fixed seed.
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = zoom(data.images / 16, (1, size / 8, size / 8), order=1, grid_mode=True, mode="nearest")
    colours = np.ones((len(grey), 1, 1, channels))
    if channels > 1:
        colours = np.random.default_rng(7).uniform(0.25, 1, colours.shape)
    x = np.floor(grey[..., None] * colours * 255) / 256
    return x.astype(np.float32), data.target.astype(np.int64)


def train(model: Any, size: int, channels: int, epochs: int) -> Any:
    """Train a tf-keras model that ends in logits on three quarters of the images; return it."""
    import tensorflow as tf
    import tf_keras as keras

    tf.config.experimental.enable_op_determinism()
    x, y = pictures(size, channels)
    count = len(x) * 3 // 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, ["accuracy"])
    model.fit(x[:count], y[:count], batch_size=32, epochs=epochs, verbose=0)
    return model
