"""A small network as the files of a model, made without Keras."""

import json

import h5py
import numpy as np


def write_model(directory):
    """A 3-2-2 network of plain Dense layers; returns the paths of architecture and weights."""
    layers, weights = [], {}
    rng = np.random.default_rng(3)
    shape = [3, 2, 2]
    first = {"name": "x", "batch_input_shape": [None, shape[0]], "dtype": "float32"}
    layers.append({"class_name": "InputLayer", "config": first})
    for name, rows, units, activation in (("fc1", 3, 2, "relu"), ("fc2", 2, 2, "linear")):
        config = {"name": name, "units": units, "activation": activation, "use_bias": True}
        layers.append({"class_name": "Dense", "config": config})
        kernel = rng.choice([-5, -3, 3, 5, 7], (rows, units)) / 8
        weights[name] = {"kernel:0": kernel, "bias:0": np.arange(1, units + 1) / 8}
    model, stored = directory / "net.json", directory / "net_weights.h5"
    architecture = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    model.write_text(json.dumps(architecture))
    with h5py.File(stored, "w") as file:
        for name, arrays in weights.items():
            group = file.create_group(f"{name}/{name}")
            for key, array in arrays.items():
                group[key] = array.astype(np.float32)
    return model, stored
