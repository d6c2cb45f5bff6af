"""A 6-bit QKeras network of the jet taggers' shape, 16-64-32-32-5, half of its weights zero.

The LHC jet data must be downloaded, so this network is trained on synthetic data of the same shape
(16 features, 5 classes), which gives weights of the same size and sparsity.
"""

from __future__ import annotations

import os
from pathlib import Path

SHAPE = (16, 64, 32, 32, 5)
INPUT_PRECISION = "fixed<16,6>"


def jet_network(path: Path) -> Path:
    """The trained network as Keras HDF5 file `path`, trained if it does not exist."""
    if path.is_file():
        return path
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu
    from sklearn.datasets import make_classification

    keras.utils.set_random_seed(7)
    x, y = make_classification(
        20_000, 16, n_informative=12, n_redundant=4, n_classes=5, n_clusters_per_class=3,
        class_sep=1.6, random_state=7,
    )  # fmt: skip
    x = (x / np.abs(x).max(axis=0) * 8).astype(np.float32)

    layers = [keras.layers.Input(SHAPE[:1])]
    for index, size in enumerate(SHAPE[1:], 1):
        layers.append(
            QDense(
                size,
                kernel_quantizer=quantized_bits(6, 0, alpha=1),
                bias_quantizer=quantized_bits(6, 0, alpha=1),
                name=f"fc{index}",
            )
        )
        if index < len(SHAPE) - 1:
            layers.append(QActivation(quantized_relu(6), name=f"relu{index}"))
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, ["accuracy"])
    model.fit(x, y, batch_size=256, epochs=15, verbose=0)

    dense = [layer for layer in model.layers if isinstance(layer, QDense)]
    masks = []
    for layer in dense:
        kernel = layer.kernel.numpy()
        masks.append(np.abs(kernel) >= np.quantile(np.abs(kernel), 0.36))

    class KeepPruned(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            del batch, logs
            for layer, mask in zip(dense, masks, strict=True):
                layer.kernel.assign(tf.where(mask, layer.kernel, 0.0))

    model.fit(x, y, batch_size=256, epochs=10, verbose=0, callbacks=[KeepPruned()])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.h5")
    model.save(temporary)
    temporary.replace(path)
    return path
