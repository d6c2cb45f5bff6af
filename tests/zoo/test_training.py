"""Training and its cache: the cache with a worker that trains nothing, then the real worker."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.zoo import load_sweep, train, training
from gatewright.zoo._fit import on_grid

MODEL = '''
"""Two classes of points on a line."""
import numpy as np


def load_data():
    x = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
    return x, (x[:, 0] > 0).astype(int), x[::4], (x[::4, 0] > 0).astype(int)


def build(bits):
    from qkeras import QDense, quantized_bits
    from tf_keras import Input, Model, layers

    inputs = Input((1,))
    if bits is None:
        return Model(inputs, layers.Dense(2, name="out")(inputs))
    kernel = quantized_bits(bits["out"].weights, 0, alpha=1)
    return Model(inputs, QDense(2, name="out", kernel_quantizer=kernel)(inputs))


def loss():
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
'''

SWEEP = {
    "description": "a line",
    "layers": ["out"],
    "defaults": {
        "input_precision": "fixed<4,1>",
        "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "seed": 1},
    },
    "configs": [
        {"name": "w4", "bits": 4},
        {"name": "w3", "bits": 3},
        {"name": "w4_clock", "bits": 4, "conversion": {"clock_ns": 3.0}},
        {"name": "w4_seed", "bits": 4, "training": {"seed": 2}},
    ],
}


@pytest.fixture
def sweep(tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    return load_sweep(folder)


@pytest.fixture
def runs(monkeypatch):
    """Replaces the worker; lists what it was asked for."""
    asked = []

    def worker(request, what, kind, progress):
        asked.append(kind)
        folder = Path(request["output_dir"])
        (folder / training.MODEL).write_bytes(json.dumps(request["bits"]).encode())
        x = np.ones((2, 1), np.float32)
        np.savez(folder / training.DATA, x=x, y=np.array([0, 1]), outputs=np.eye(2, dtype=x.dtype))
        return {"accuracy": 0.5 if kind == "float" else 0.75, "losses": [1.0, 0.5], "seconds": 2.0}

    monkeypatch.setattr(training, "_run_worker", worker)
    return asked


def test_the_same_content_is_trained_once(sweep, runs, tmp_path):
    first = train(sweep, sweep.config("w4"), tmp_path / "cache")
    assert runs == ["float", "quantized"]
    assert not first.cached
    assert (first.float_accuracy, first.quantized_accuracy) == (0.5, 0.75)
    second = train(sweep, sweep.config("w4"), tmp_path / "cache")
    assert runs == ["float", "quantized"]
    assert second.cached
    assert (second.key, second.path, second.losses) == (first.key, first.path, (1.0, 0.5))
    np.testing.assert_array_equal(second.x, first.x)


def test_what_does_not_change_the_weights_does_not_change_the_key(sweep, runs, tmp_path):
    first = train(sweep, sweep.config("w4"), tmp_path)
    assert train(sweep, sweep.config("w4_clock"), tmp_path).key == first.key
    assert len(runs) == 2


def test_what_changes_the_weights_changes_the_key(sweep, runs, tmp_path, monkeypatch):
    first = train(sweep, sweep.config("w4"), tmp_path)
    train(sweep, sweep.config("w3"), tmp_path)
    assert runs == ["float", "quantized", "quantized"]  # the baseline is shared
    train(sweep, sweep.config("w4_seed"), tmp_path)
    assert runs[3:] == ["float", "quantized"]
    (sweep.model_dir / "helper.py").write_text("x = 1\n")
    edited = train(sweep, sweep.config("w4"), tmp_path)
    monkeypatch.setattr(training.metadata, "version", lambda name: "0")
    upgraded = train(sweep, sweep.config("w4"), tmp_path)
    assert len({first.key, edited.key, upgraded.key}) == 3
    assert len(runs) == 9


@pytest.mark.parametrize("damage", ["model", "data", "record", "missing", "truncated", "empty"])
def test_a_damaged_entry_is_made_again(sweep, runs, tmp_path, damage):
    good = train(sweep, sweep.config("w4"), tmp_path)
    directory = good.path.parent
    before = good.path.read_bytes()
    if damage == "model":
        good.path.write_bytes(before[:-1] + b"!")
    elif damage == "data":
        data = directory / training.DATA
        data.write_bytes(data.read_bytes()[:-7])
    elif damage == "record":
        (directory / "training.json").write_text("[]")
    elif damage == "missing":
        good.path.unlink()
    elif damage == "truncated":
        (directory / "training.json").write_text('{"accuracy": 0.')
    else:
        shutil.rmtree(directory)
        directory.mkdir()
    again = train(sweep, sweep.config("w4"), tmp_path)
    assert runs == ["float", "quantized", "quantized"]
    assert not again.cached
    assert again.path.read_bytes() == before
    assert train(sweep, sweep.config("w4"), tmp_path).cached


def test_an_interrupted_training_leaves_nothing(sweep, runs, tmp_path, monkeypatch):
    def interrupted(request, what, kind, progress):
        (Path(request["output_dir"]) / training.MODEL).write_bytes(b"half")
        raise KeyboardInterrupt

    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(training, "_run_worker", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(sweep, sweep.config("w4"), cache)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert not train(sweep, sweep.config("w4"), cache).cached
    assert runs == ["float", "quantized"]


def test_a_missing_library_is_named(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_LIBRARIES", ("no-such-library",))
    with pytest.raises(InputError, match=r"needs no-such-library: pip install 'gatewright\[zoo\]'"):
        train(sweep, sweep.config("w4"), tmp_path)


def test_inputs_are_rounded_to_the_grid_and_saturate():
    x = np.array([-9.0, -0.19, -0.06, 0.0, 0.06, 0.19, 0.93, 0.95, 9.0], np.float32)
    assert on_grid(x, "fixed<4,1>").tolist() == [-1, -0.25, 0, 0, 0, 0.25, 0.875, 0.875, 0.875]
    assert on_grid(x, "ufixed<2,0>").tolist() == [0, 0, 0, 0, 0, 0.25, 0.75, 0.75, 0.75]


def test_a_model_that_fails_is_named_with_its_reason(sweep, tmp_path):
    (sweep.model_dir / "model.py").write_text("def load_data():\n    raise ValueError('no data')\n")
    with pytest.raises(
        InputError, match=r"'w4' \(float\) failed: ValueError: no data \(in .*model"
    ):
        train(sweep, sweep.config("w4"), tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_the_worker_trains(sweep, tmp_path):
    epochs = []
    config = sweep.config("w4")
    first = train(sweep, config, tmp_path / "1", lambda *args: epochs.append(args))
    assert epochs == [(kind, done, 3) for kind in ("float", "quantized") for done in (1, 2, 3)]
    assert first.losses[-1] < first.losses[0]
    assert first.quantized_accuracy >= 0.8
    assert first.quantized_accuracy == np.mean(first.outputs.argmax(axis=1) == first.y)
    grid = FixedType.parse(config.input_precision)
    raw = first.x * 2.0**grid.frac
    assert first.x.shape == (16, 1)
    assert (raw == np.rint(raw)).all()
    assert grid.min <= raw.min() < raw.max() <= grid.max


@pytest.mark.full
def test_training_is_repeatable(sweep, tmp_path):
    first, again = (train(sweep, sweep.config("w4"), tmp_path / name) for name in "12")
    assert again.path.read_bytes() == first.path.read_bytes()
    np.testing.assert_array_equal(again.outputs, first.outputs)
