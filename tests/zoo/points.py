"""A model of two classes of points on a line, and sweep files of it."""

import yaml

MODEL = '''
"""Two classes of points on a line."""
import numpy as np


def load_data(turned=False):
    x = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
    y = (x[:, 0] > 0.25).astype(int)
    y = 1 - y if turned else y
    return x, y, x[::4], y[::4]


def build(width=8):
    from tf_keras import Input, Model, layers

    inputs = Input((1,), name="x")
    hidden = layers.Dense(width, activation="relu", name="hidden")(inputs)
    return Model(inputs, layers.Dense(2, name="out")(hidden))


def loss():
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
'''


def write_sweep(folder, configs, *, epochs, files=None, defaults=None, **keys):
    """Write a model and its sweep file.

    Args:
        folder: Where; it is made.
        configs: Configurations by name.
        epochs: Of each training.
        files: Texts of further files by name.
        defaults: More of what configurations have in common.
        keys: More of the sweep.
    """
    folder.mkdir(exist_ok=True)
    for name, text in {"model.py": MODEL, **(files or {})}.items():
        (folder / name).write_text(text)
    training = {"epochs": epochs, "batch_size": 8, "learning_rate": 0.05, "seed": 1}
    content = {
        "description": "a line",
        "layers": ["hidden", "out"],
        "defaults": {"input_precision": "fixed<6,1>", "training": training, **(defaults or {})},
        "configs": [{"name": name} | config for name, config in configs.items()],
        **keys,
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(content))
    return folder
