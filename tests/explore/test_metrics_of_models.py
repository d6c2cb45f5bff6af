"""Models that don't classify, from model.py to the report, judged by Keras' predictions."""

import json

import numpy as np
import pytest
import yaml

from gatewright.cli import main
from gatewright.compress.dataset import load_model_module
from gatewright.compress.model_files import load_model
from gatewright.errors import DataError
from gatewright.explore.outcome import Limits
from gatewright.explore.trial import Task, _check_metric
from gatewright.frontend.quiet import quiet
from gatewright.metrics import METRICS
from gatewright.zoo import load_sweep, obtain

MODEL = """
import numpy as np

from gatewright.metrics import Metric


def load_data(seed=0):
    rng = np.random.default_rng(seed)
    near, far = rng.uniform(-1, 1, (160, 3)), rng.uniform(-1, 1, (160, 2))
    total = near.sum(axis=1) - far.sum(axis=1)
    x = {"near": near, "far": far}
    y = {"total": total[:, None], "side": (total > 0).astype(int)}
    parts = [{name: array[rows] for name, array in some.items()}
             for rows in (slice(120), slice(120, None)) for some in (x, y)]
    return parts


def build(width=6):
    from tf_keras import Input, Model, layers

    near, far = Input((3,), name="near"), Input((2,), name="far")
    hidden = layers.Concatenate(name="both")([near, far])
    hidden = layers.ReLU(name="hidden_relu")(layers.Dense(width, name="hidden")(hidden))
    outputs = [layers.Dense(1, name="total")(hidden), layers.Dense(2, name="side")(hidden)]
    return Model([near, far], outputs)


def loss():
    from tf_keras.losses import MeanSquaredError, SparseCategoricalCrossentropy

    return {"total": MeanSquaredError(), "side": SparseCategoricalCrossentropy(from_logits=True)}


def metric():
    def away_or_wrong(targets, outputs):
        away = np.abs(outputs["total"] - targets["total"]).mean()
        return float(away + np.mean(outputs["side"].argmax(axis=1) != targets["side"]))

    return Metric("away or wrong", "less", away_or_wrong)
"""


def write(folder, **keys):
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    content = {
        "description": "two inputs, two outputs",
        "layers": ["hidden", "total", "side"],
        "defaults": {
            "input_precision": "fixed<6,1>",
            "training": {"epochs": 12, "batch_size": 16, "learning_rate": 0.02, "seed": 1},
        },
        **keys,
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(content))
    return folder


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def measured(folder, model):
    """The metric of a model file on the test set, by Keras and the function of model.py."""
    module = load_model_module(folder / "model.py")
    *_, x, y = module.load_data()
    steps = {name: np.floor(array * 32 + 0.5).clip(-32, 31) for name, array in x.items()}
    with quiet():
        loaded = load_model(model)
        outputs = loaded.predict({name: each / 32 for name, each in steps.items()}, verbose=0)
    found = {
        name: each.astype(float) for name, each in zip(loaded.output_names, outputs, strict=True)
    }
    return module.metric().measure(y, found)


def test_several_inputs_and_outputs_and_a_metric_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    folder = write(tmp_path / "forked", configs=[{"name": "w5", "bits": 5}])
    assert command("run", folder, "-o", tmp_path / "build", "--no-baselines") == 0
    report = json.loads((tmp_path / "build/forked/w5/report.json").read_text())
    error = report["error"]
    assert (error["metric"], error["samples"]) == ("away or wrong", 40)
    assert "accuracy" not in report
    assert 0 < error["float_model"] < 0.5
    assert error["rtl"] == error["quantized"]
    assert report["verification"]["keras"] == {"vectors": 40, "mismatches": 0}
    assert [each["name"] for each in report["fidelity"]["outputs"]] == ["total", "side"]
    assert [step["better"] for step in report["steps"]] == ["less", "less"]
    sweep = load_sweep(folder)
    trained = obtain(sweep, sweep.config("w5"))
    assert trained.cached
    assert error["quantized"] == pytest.approx(measured(folder, trained.path), rel=1e-6)


@pytest.mark.full
def test_a_search_by_an_error_with_baselines(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    search = {
        "base": {"bits": 5, "training": {"epochs": 6}},
        "space": {"bits.hidden.weights": [2, 5]},
        "objectives": ["error", "lut"],
        "constraints": ["error<=2"],
        "sampler": "grid",
        "validation": 0.25,
    }
    folder = write(tmp_path / "forked", search=search)
    assert command("explore", folder, "-o", tmp_path / "build") == 0
    found = json.loads((tmp_path / "build/forked/explore/report.json").read_text())
    assert found["search"]["objectives"] == ["error_validation", "lut"]
    assert found["search"]["constraints"] == ["error_validation<=2"]
    for report in found["reports"]:
        assert report["error"]["validation_samples"] == 30
        assert report["verification"]["mismatches"] == 0
    floats = [each for each in found["baselines"] if each["model"] == "float32"]
    assert floats
    for baseline in floats:
        assert baseline["metric"] == "away or wrong"
        expected = found["reports"][0]["error"]["float_model"]
        assert baseline["error"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("wanted", "named"), [("error", "accuracy"), ("accuracy", "AUC")])
def test_a_search_says_what_the_model_is_measured_by(tmp_path, wanted, named):
    """Of an error where the model has an accuracy; the reverse is refused likewise."""
    sweep = load_sweep(write(tmp_path / "forked", configs=[{"name": "w5", "bits": 5}]))
    task = Task(sweep, sweep.configs[0], (f"{wanted}_validation", "lut"), Limits(), tmp_path)
    if wanted == "accuracy":
        _check_metric(task, METRICS[named])
        metric = METRICS["mean squared error"]
        said = "weighs 'accuracy', but .* 'mean squared error', of which less is better; write 'err"
    else:
        metric = METRICS[named]
        said = "weighs 'error', but the metric of model.py is 'top-1 accuracy', of which more"
    with pytest.raises(DataError, match=said):
        _check_metric(task, metric)
