"""Mixed precision found within a recipe, held against Keras' predictions of the stored models."""

import numpy as np
import pytest

from gatewright.compress.clipping import find_ranges
from gatewright.compress.model_files import load_model
from gatewright.compress.recipe import Training, parse_recipe
from gatewright.compress.recipe_walk import Source, obtain
from gatewright.store import Store
from kept import kept_process

MODEL = '''
"""Three classes of points in a plane."""
import numpy as np


def load_data():
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    radius = np.hypot(*x.T)
    y = np.digitize(radius, [0.5, 0.85])
    return x[:300], y[:300], x[300:], y[300:]


def build():
    from tf_keras import Input, Model, layers

    inputs = Input((2,), name="x")
    x = layers.Dense(16, activation="relu", name="first")(inputs)
    x = layers.Dense(12, activation="relu", name="second")(x)
    return Model(inputs, layers.Dense(3, name="out")(x))


def loss():
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
'''
TRAINING = Training(epochs=20, batch_size=16, learning_rate=0.03, seed=1, validation=0.2)
LOSS = 0.05


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Obtains the model of a recipe whose steps share a store."""
    folder = tmp_path_factory.mktemp("plane")
    (folder / "model.py").write_text(MODEL)
    source, store = Source(folder, input_precision="fixed<8,1>"), Store(folder / "store")
    with kept_process():
        yield lambda *steps: obtain(source, parse_recipe(["train", *steps]), TRAINING, store=store)


def widths(step):
    """Bits of kernels and of activations by layer, of the quantizers in a step's model."""
    return {
        (each.layer, each.what): each.bits
        for each in find_ranges(load_model(step.path))
        if each.what in ("kernel", "activation")
    }


def promised(step):
    """The same from a step's settings."""
    found = {}
    for name, bits in step.settings["bits"].items():
        if name != "default":
            found[name, "kernel"] = bits["weights"]
            found[f"{name}_relu", "activation"] = bits["activations"]
    return {key: bits for key, bits in found.items() if key != ("out_relu", "activation")}


@pytest.mark.full
def test_calibrated_bits_lose_no_more_than_allowed(make):
    made = make({"calibrate": {"max_loss": LOSS, "bits": 8}})
    wide = make({"calibrate": {"bits": 8}})
    train, found = made.steps
    assert widths(found) == promised(found)
    assert len(widths(found)) == 5 and min(widths(found).values()) < 8
    assert found.cost.ebops < 0.7 * wide.steps[1].cost.ebops
    with np.load(made.data, allow_pickle=False) as data:
        x, y = data["x_validation"], data["y_validation"]
    before, after = (
        np.mean(load_model(step.path).predict(x, verbose=0).argmax(axis=1) == y)
        for step in (train, found)
    )
    assert after >= before - LOSS - 1e-9
    assert found.scores.validation == pytest.approx(after)
    assert make({"calibrate": {"max_loss": LOSS, "bits": 8}}).cached


@pytest.mark.full
def test_bits_are_found_before_a_quantized_model_is_fitted(make):
    bits = {"default": 6, "out": {"weights": "ternary", "activations": 6}}
    made = make(
        {"prune": {"amount": 0.3, "epochs": 0}},
        {"quantize": {"max_loss": 0.2, "bits": bits, "epochs": 0}},
        "finetune",
    )
    _, _, found, fitted = made.steps
    assert widths(found) == widths(fitted) == promised(found) | {("out", "kernel"): 2}
    assert found.settings["bits"]["out"]["weights"] == "ternary"
    assert min(widths(found).values()) < 6
    assert fitted.cost.nonzero <= fitted.cost.weights * 0.7 + 1
