"""Plain Keras models written by hand, so that tests of files need no TensorFlow."""

import json

import h5py
import numpy as np


def dense(name, units, inputs, activation="linear", class_name="Dense"):
    """A Dense layer of a Sequential architecture, with weights on a grid of 2^-6."""
    rng = np.random.default_rng(len(name) + units)
    config = {"name": name, "units": units, "activation": activation, "use_bias": True}
    kernel = rng.integers(-64, 64, (inputs, units)) / 64
    bias = rng.integers(-64, 64, units) / 64
    return {"class_name": class_name, "config": config}, {
        f"{name}/kernel:0": kernel.astype(np.float32),
        f"{name}/bias:0": bias.astype(np.float32),
    }


def architecture(layers, shape=(4,)):
    """A Sequential architecture as Keras 2 writes it."""
    first = {
        "class_name": "InputLayer",
        "config": {"name": "x", "batch_input_shape": [None, *shape], "dtype": "float32"},
    }
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [first, *layers]}}


def write_model(directory, layers, weights, shape=(4,)):
    """Write architecture and weights; return the two paths."""
    json_path, h5_path = directory / "net.json", directory / "net_weights.h5"
    json_path.write_text(json.dumps(architecture(layers, shape)))
    with h5py.File(h5_path, "w") as file:
        for name, arrays in weights.items():
            group = file.require_group(name)
            for key, array in arrays.items():
                group[key] = array
    return json_path, h5_path
