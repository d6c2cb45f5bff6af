"""Baselines are measured outside this process, kept by content, and refused with a reason."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.baseline import measure, obtain, this_processor
from gatewright.baseline import measurement as run
from gatewright.errors import InputError
from gatewright.frontend.quiet import import_keras
from gatewright.metrics import METRICS
from gatewright.store import Store

RNG = np.random.default_rng(5)
X = RNG.normal(size=(75, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def perceptron(tmp_path_factory):
    """File of a float model with 1,024 and 320 weights, and Keras' own classes for X."""
    keras = import_keras("tf_keras")
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.layers.Input((32,)),
            keras.layers.Dense(32, activation="relu", name="big"),
            keras.layers.Dense(10, name="small"),
        ]
    )
    path = tmp_path_factory.mktemp("baseline") / "model.h5"
    model.save(path, include_optimizer=False)
    return path, model.predict(X, verbose=0).argmax(axis=1)


def test_a_model_in_every_kind_of_arithmetic(perceptron):
    path, classes = perceptron
    found = measure(path, X, classes, X, batch=16, seconds=0.02)
    threads = sorted({1, this_processor().cores})
    kinds = ("float32", "int8", "dynamic range")
    assert [(b.model, b.batch, b.threads) for b in found] == [
        (kind, batch, count) for kind in kinds for batch in (1, 16) for count in threads
    ]
    for baseline in found:
        assert baseline.problem is None
        assert baseline.kernels in ("default delegate", "built-in kernels")
        assert baseline.repetitions >= 50
        assert 0 < baseline.latency_low_us <= baseline.latency_us <= baseline.latency_high_us
        assert baseline.latency_us < 1e4  # ten milliseconds for 1,344 multiplications
        assert baseline.samples == 75
        # The labels are what Keras says, so arithmetic of its own would miss some.
        assert baseline.accuracy >= (1.0 if baseline.model == "float32" else 0.85)
        assert baseline.cpu == this_processor().name
    assert "only 1 of 2 layers" in found[-1].source
    assert "75 calibration samples" in found[-len(threads) * 2 - 1].source


def test_an_error_as_the_metric(perceptron):
    """Of the outputs that Keras gives, the float model's error is rounding, that of 8 bits more."""
    path, _ = perceptron
    outputs = import_keras("tf_keras").models.load_model(path, compile=False).predict(X, verbose=0)
    found = measure(
        path, X, outputs, X, metric=METRICS["mean squared error"], batch=16, seconds=0.001
    )
    for baseline in found:
        assert (baseline.metric, baseline.accuracy) == ("mean squared error", None)
        assert 0 <= baseline.error < (1e-9 if baseline.model == "float32" else 0.1)
    assert max(baseline.error for baseline in found) > 1e-6


def test_what_was_measured_is_found_in_the_store(perceptron, tmp_path, monkeypatch):
    path, classes = perceptron
    monkeypatch.setattr(run, "_WORKER", "dying_worker")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    store = Store(tmp_path)
    first = obtain(store, path, X, classes, X)
    assert len(store.entries("baselines")) == 1
    monkeypatch.setattr(run, "_WORKER", "no_such_worker")
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    assert obtain(store, copy, X, classes, X) == first
    for changed in (
        {"x": X + 1},
        {"y": None},
        {"calibration": X + 1},
        {"seconds": 2.0},
        {"of_metric": {"model.py": "0"}},
    ):
        arguments = {"x": X, "y": classes, "calibration": X} | changed
        assert obtain(store, path, **arguments) != first
    assert len(store.entries("baselines")) == 6


def test_a_worker_that_dies_costs_one_kind_of_arithmetic(perceptron, monkeypatch):
    path, classes = perceptron
    monkeypatch.setattr(run, "_WORKER", "dying_worker")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    found = measure(path, X, classes, X)
    assert [(b.model, b.latency_us, b.problem) for b in found] == [
        ("float32", 2.0, None),
        ("int8", None, "its process was ended by SIGKILL"),
        ("dynamic range", 2.0, None),
    ]


def test_the_log_of_a_worker_that_fails_is_not_lost(perceptron, monkeypatch):
    path, classes = perceptron
    monkeypatch.setattr(run, "_WORKER", "no_such_worker")
    found = measure(path, X, classes, X)
    assert [b.problem for b in found] == [found[0].problem] * 3
    assert "No module named no_such_worker" in found[0].problem


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[:0]}, "needs test inputs"),
        ({"calibration": X[:0]}, "needs test inputs and calibration inputs"),
        ({"calibration": X[:, :4]}, r"shape \(32,\), but calibration inputs have shape \(4,\)"),
        ({"y": np.zeros(3, np.int64)}, r"75 test inputs, but targets of shape \(3,\)"),
        ({"model": Path("no_such.h5")}, "no_such.h5: no such file"),
    ],
)
def test_what_does_not_fit_is_refused(perceptron, arguments, message):
    path, classes = perceptron
    with pytest.raises(InputError, match=message):
        measure(**({"model": path, "x": X, "y": classes, "calibration": X} | arguments))


def test_a_worker_that_refuses_is_heard(perceptron, monkeypatch):
    path, classes = perceptron
    monkeypatch.setattr(run, "_WORKER", "refusing_worker")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with pytest.raises(InputError, match="not to my taste"):
        measure(path, X, classes, X)


def test_a_qkeras_model_is_no_baseline(tmp_path):
    keras, qkeras = import_keras("tf_keras"), import_keras("qkeras")
    model = keras.Sequential(
        [keras.layers.Input((32,)), qkeras.QDense(4, kernel_quantizer="quantized_bits(4,0,1)")]
    )
    model.save(tmp_path / "q.h5", include_optimizer=False)
    with pytest.raises(InputError, match=r"q\.h5: has QKeras layers, which compute in floating"):
        measure(tmp_path / "q.h5", X, None, X)


def test_whoever_asks_for_a_baseline_imports_no_tensorflow():
    code = "import sys, gatewright.baseline; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
