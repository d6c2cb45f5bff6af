"""Weights as training leaves them, from a fixed seed: activations neither grow nor vanish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SEED = 12


def legacy_keras() -> Any:
    """tf-keras, which QKeras is made for."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras

    return tf_keras


def fill(model: Any, seed: int = SEED) -> Any:
    """Give a tf-keras model random weights, and batch normalizations statistics of its own.

    Kernels are normal with variance 2 / fan in (He et al. 2015), which keeps the size of what
    passes a rectifier. Gamma is uniform in 0.5 to 1.5, beta and bias normal of 0.1.

    Args:
        model: tf-keras model; its weights change.
        seed: of the numbers.

    Returns:
        The model.
    """
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        depthwise = "Depthwise" in type(layer).__name__
        values = []
        for variable in layer.weights:
            name, shape = variable.name.rpartition("/")[2].partition(":")[0], variable.shape
            if name.endswith("kernel"):
                # (rows, columns, channels, multiplier) where each filter sees one channel
                fan_in = int(np.prod(shape[:2] if depthwise else shape[:-1]))
                value = rng.normal(0, np.sqrt(2 / fan_in), shape)
            elif name == "gamma" or name == "moving_variance":
                value = rng.uniform(0.5, 1.5, shape)
            elif name in ("bias", "beta", "moving_mean"):
                value = rng.normal(0, 0.1, shape)
            else:  # counters
                value = np.zeros(shape)
            values.append(value)
        layer.set_weights(values)
    return model


def saved(path: Path, make: Any) -> Path:
    """A model's file, made unless it is there.

    Args:
        path: `.h5`.
        make: gives the tf-keras model.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.h5")
        make().save(temporary)
        temporary.replace(path)
    return path
