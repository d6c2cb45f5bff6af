"""Random weights from a fixed seed, similar to trained ones: activations keep their size."""

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

    Kernels are normal with variance 2 / fan-in (He et al. 2015), which keeps the size of
    activations through ReLUs. Gamma is uniform from 0.5 to 1.5; beta and bias are normal with
    standard deviation 0.1.

    Args:
        model: tf-keras model; its weights are changed.
        seed: seed of the random numbers.

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
    """The file of a model, created if it does not exist.

    Args:
        path: the `.h5` file.
        make: returns the tf-keras model.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.h5")
        make().save(temporary)
        temporary.replace(path)
    return path
