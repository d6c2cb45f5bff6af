"""TensorFlow Lite computes what Keras computes; times are those of the call."""

import io
import json
import time

import numpy as np
import pytest

from gatewright.baseline import tflite_worker
from gatewright.baseline.tflite_worker import (
    Running,
    Unconverted,
    convert,
    weight_tensors,
)
from gatewright.frontend.quiet import import_keras

RNG = np.random.default_rng(8)


def make_dense(n_in, n_out):
    keras = import_keras("tf_keras")
    return keras.Sequential([keras.layers.Input((n_in,)), keras.layers.Dense(n_out)])


@pytest.mark.parametrize("batch", [1, 16, 256])
def test_classes_are_those_of_keras_whatever_the_batch(batch):
    keras = import_keras("tf_keras")
    model = keras.Sequential(
        [
            keras.layers.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )
    x = RNG.normal(size=(41, 6, 6, 2)).astype(np.float32)
    converted = convert("float32", model, batch, [x])
    for delegate in (True, False):
        running = Running(converted, 1, delegate=delegate)
        (found,) = running.outputs([x])
        np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
        assert (found.argmax(axis=1) == model.predict(x, verbose=0).argmax(axis=1)).all()


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_several_inputs_and_outputs_keep_their_order(kind):
    """Each input and output of another size, so that none can take another's place."""
    keras = import_keras("tf_keras")
    keras.utils.set_random_seed(4)
    names = ("zulu", "alpha", "mike")
    inputs = [keras.Input((2 + n,), name=name) for n, name in enumerate(names)]
    hidden = keras.layers.Concatenate()(inputs)
    outputs = [
        keras.layers.Dense(5 - n, name=f"out_{name}")(hidden) for n, name in enumerate(names)
    ]
    model = keras.Model(inputs, outputs)
    x = [RNG.normal(size=(20, 2 + n)).astype(np.float32) for n in range(3)]
    found = Running(convert(kind, model, 8, x), 1).outputs(x)
    for ours, theirs in zip(found, model.predict(x, verbose=0), strict=True):
        assert np.abs(ours - theirs).max() <= (1e-5 if kind == "float32" else 0.1)


def test_the_faster_kernels_are_taken(monkeypatch):
    """Sleeping is slower than not."""
    for slow, fast in (tflite_worker.KERNELS, tflite_worker.KERNELS[::-1]):

        class Fake:
            def __init__(self, converted, threads, *, delegate, slow=slow):
                self.slow = (slow == tflite_worker.DELEGATE) == delegate

            def fill(self, x):
                pass

            def invoke(self):
                time.sleep(0.0005 * self.slow)

        monkeypatch.setattr(tflite_worker, "Running", Fake)
        kernels, running = tflite_worker._faster(b"", 1, np.zeros(1), {"seconds": 0.001})
        assert kernels == fast and not running.slow


def test_inputs_of_an_integer_model_are_put_on_its_grid():
    """Of a model that is the identity, int8 gives back its inputs to half a step."""
    model = make_dense(8, 8)
    model.set_weights([np.eye(8, dtype=np.float32), np.zeros(8, np.float32)])
    x = RNG.uniform(-3, 5, size=(64, 8)).astype(np.float32)
    running = Running(convert("int8", model, 64, [x]), 1)
    (outputs,) = running.outputs([x])
    assert running._inputs[0]["dtype"] is running._outputs[0]["dtype"] is np.int8
    assert np.abs(outputs - x).max() <= 8 / 255 * 1.01


def test_small_layers_stay_in_float_and_that_is_said():
    kinds = {}
    for n_out in (31, 32):  # 992 and 1,024 weights
        try:
            kinds[n_out] = weight_tensors(
                convert("dynamic range", make_dense(32, n_out), 1, [np.zeros((1, 32), "f")])
            )
        except Unconverted as error:
            kinds[n_out] = str(error)
    assert kinds[32] == (1, 0)
    assert kinds[31] == (
        "the converter leaves layers of fewer than 1,024 weights in float32, which are all 1: "
        "the model would be the float32 one"
    )


def answer(model, x, monkeypatch, tmp_path, capsys):
    """What the worker prints of a model and inputs, an array or several by name."""
    monkeypatch.setattr(tflite_worker, "load_model", lambda path: model)
    arrays = x if isinstance(x, dict) else {"": x}
    np.savez(tmp_path / "x.npz", **{f"/{name}": array for name, array in arrays.items()})
    request = {
        "model": "made_up.h5",
        "x": str(tmp_path / "x.npz"),
        "calibration": str(tmp_path / "x.npz"),
        "folder": str(tmp_path),
        "models": ["float32"],
        "batches": [1],
        "threads": [1],
        "seconds": 0.001,
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(request)))
    tflite_worker.main()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"')]
    return json.loads(line)


def test_what_can_not_be_converted_is_a_problem(monkeypatch, tmp_path, capsys):
    import tensorflow as tf

    keras = import_keras("tf_keras")
    inputs = keras.Input((4,))
    zeta = keras.layers.Lambda(lambda tensor: tf.math.zeta(tensor + 2, tensor + 1))
    model = keras.Model(inputs, zeta(inputs))
    said = answer(model, np.ones((3, 4), np.float32), monkeypatch, tmp_path, capsys)
    problem = "'tf.Zeta' op is neither a custom op nor a flex op"
    assert said == {"measured": "float32", "baselines": [{"problem": problem}]}


def test_inputs_of_another_shape_than_the_model_takes(monkeypatch, tmp_path, capsys):
    said = answer(make_dense(4, 3), np.ones((3, 5), np.float32), monkeypatch, tmp_path, capsys)
    assert said == {"refused": "made_up.h5: takes inputs of shape (4,), not (5,)"}


def test_models_of_several_inputs(monkeypatch, tmp_path, capsys):
    keras = import_keras("tf_keras")
    pair = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    model = keras.Model(pair, keras.layers.Subtract(name="gap")(pair))
    left, right = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    given = {"right": right, "left": left}
    said = answer(model, given, monkeypatch, tmp_path, capsys)
    with np.load(tmp_path / said["baselines"][0]["outputs"]) as outputs:
        np.testing.assert_allclose(outputs["gap"], left - right, rtol=1e-6)
    said = answer(model, {"left": left}, monkeypatch, tmp_path, capsys)
    message = "made_up.h5: arrays are given for left; the model's inputs are left, right"
    assert said == {"refused": message}
