"""Configurations by their recipes: which models they start from, and real ones, trained."""

import json
from pathlib import Path

import numpy as np
import pytest

from gatewright.compress.model_files import load_model
from gatewright.compress.recipe_walk import Stopped
from gatewright.errors import InputError
from gatewright.store import Store
from gatewright.zoo import load_sweep, obtain
from kept import end_kept_process, kept_process
from pretended import pretend
from zoo.points import write_sweep

MODELS = Path(__file__).parents[2] / "models"
ROOT = MODELS.parent


def sweep_of(folder, **configs):
    return load_sweep(write_sweep(folder, configs, epochs=15, defaults={"bits": 5}))


def transfer(model, **settings):
    return {"recipe": [{"transfer": {"model": model} | settings}, "quantize"]}


@pytest.fixture
def requests(monkeypatch):
    return pretend(monkeypatch)


def test_a_config_may_start_from_another(tmp_path, requests):
    sweep_of(tmp_path / "first", plain={})
    second = sweep_of(tmp_path / "second", far=transfer("../first/plain"), near=transfer("far"))
    store = Store(tmp_path / "store")
    near = obtain(second, second.config("near"), store=store)
    assert [request["step"] for request in requests] == [
        *("data", "train", "quantize"),  # of the first folder
        *("transfer", "quantize"),  # the data is the same
        *("transfer", "quantize"),
    ]
    assert len({request["origin"] for request in requests if request["step"] == "transfer"}) == 2
    assert near.steps[0].settings["model"] == "far"
    assert obtain(second, second.config("near"), store=store).cached


def test_models_that_there_are_not(tmp_path, requests):
    store = Store(tmp_path / "store")
    sweep = sweep_of(
        tmp_path / "line",
        nowhere=transfer("../other/plain"),
        nobody=transfer("someone"),
        itself=transfer("round"),
        round=transfer("itself"),
    )
    for name, says in {
        "nowhere": "config 'nowhere': '../other/plain' is neither a model file nor FOLDER/CONF",
        "nobody": "there is no config 'someone'; choose from nowhere, nobody",
        "itself": "config 'itself': its recipe starts from itself",
    }.items():
        with pytest.raises(InputError, match=says):
            obtain(sweep, sweep.config(name), store=store)
    assert not requests


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A sweep whose steps are really done, and its store."""
    folder = tmp_path_factory.mktemp("line")
    prune = {"prune": {"amount": 0.5, "structure": "neurons", "epochs": 4}}
    sweep = sweep_of(
        folder / "line",
        whole={"recipe": ["train", prune, "quantize", "distil", {"finetune": {"epochs": 2}}]},
        turned=transfer("whole", freeze=["hidden"])
        | {"data": {"turned": True}, "architecture": {"width": 4}},
        calibrated={"recipe": ["train", "calibrate"]},
        split={"training": {"validation": 0.25}},
        wrong={"recipe": ["train", {"finetune": {"freeze": ["nose"]}}, "quantize"]},
    )
    with kept_process():
        yield sweep, Store(folder / "store")


def test_a_recipe_from_start_to_end(line):
    """All in one test: starting TensorFlow takes longer than the rest."""
    sweep, store = line
    told = []
    made = obtain(sweep, sweep.config("whole"), store=store, progress=lambda *t: told.append(t))
    train, prune, quantize, _, finetune = made.steps
    assert told == [
        (step, epoch, count)
        for step, count in {"train": 15, "prune": 4, "quantize": 15, "distil": 15,
                            "finetune": 2}.items()
        for epoch in range(1, count + 1)
    ]  # fmt: skip
    assert made.quantized_score == np.mean(made.outputs["out"].argmax(axis=1) == made.test.y) >= 0.9
    assert train.losses[-1] < train.losses[0]
    assert all(step.devices for step in made.steps)
    raw = made.test.x * 2.0**5
    assert made.test.x.shape == (16, 1) and (raw == np.rint(raw)).all()
    # Half of the neurons are gone, and stay gone.
    assert [step.cost.weights for step in made.steps] == [24, 12, 12, 12, 12]
    assert quantize.cost.ebops < prune.cost.ebops < train.cost.ebops
    assert any("hidden: 4 of 8 weights and 4 of 8 neurons" in note for note in prune.notes)
    assert finetune.settings["epochs"] == 2

    turned = obtain(sweep, sweep.config("turned"), store=store)
    assert turned.steps[0].notes[0] == "weights taken over: hidden, out"
    assert turned.quantized_score >= 0.8
    assert obtain(sweep, sweep.config("whole"), store=store).cached


@pytest.mark.full
def test_what_was_made_before_does_not_matter(line):
    """A process that made others before, and one for each step, give the same bytes."""
    sweep, store = line
    split = sweep.config("split")
    made = obtain(sweep, split, store=store)
    assert len(made.curve) == 30
    other = Store(store.root.with_name("other"))
    end_kept_process()
    with pytest.raises(Stopped):
        obtain(sweep, split, store=other, floor=[0.0] * 15 + [1.01])
    end_kept_process()
    again = obtain(sweep, split, store=other)
    assert [step.cached for step in again.steps] == [True, False]
    for ours, theirs in zip(made.steps, again.steps, strict=True):
        assert ours.path.read_bytes() == theirs.path.read_bytes()
    np.testing.assert_array_equal(made.outputs["out"], again.outputs["out"])


@pytest.mark.full
def test_other_steps(line):
    sweep, store = line
    made = obtain(sweep, sweep.config("calibrated"), store=store)
    assert made.steps[1].devices == ()
    assert made.quantized_score >= made.float_score - 0.1
    with pytest.raises(InputError, match="step 'finetune': freeze: there is no layer 'nose'"):
        obtain(sweep, sweep.config("wrong"), store=store)


@pytest.mark.full
def test_transfer_from_some_digits_to_the_others(tmp_path):
    """A layer learned from 0 to 4 serves 5 to 9, frozen, once what reads it has learned them."""
    sweep = load_sweep(MODELS / "digits_mlp")
    common = {"bits": 6, "architecture": {"classes": 5}, "training": {"epochs": 15}}
    low, high = ({"classes": list(digits)} for digits in (range(5), range(5, 10)))
    store = Store(tmp_path / "store")
    origin = obtain(
        sweep, sweep.make_config(common | {"name": "low", "data": low}, "low"), store=store
    )
    frozen = {"freeze": ["hidden1"]}
    recipe = [
        {"transfer": {"model": str(origin.path), "epochs": 0}},
        {"finetune": frozen},
        {"quantize": frozen},
    ]
    config = sweep.make_config(common | {"name": "high", "data": high, "recipe": recipe}, "high")
    made = obtain(sweep, config, store=store)
    before, _, after = (step.scores.test for step in made.steps)
    assert origin.quantized_score >= 0.9
    assert before < 0.5
    assert after >= 0.8
    for name, same in ("hidden1", True), ("hidden2", False):
        start, end = (
            load_model(path).get_layer(name).get_weights()[0] for path in (origin.path, made.path)
        )
        assert np.array_equal(start, end) == same


@pytest.mark.full
@pytest.mark.parametrize("name, config", [("digits_mlp", "uniform4"), ("digits_cnn", "w6_r1")])
def test_published_accuracies_are_reached(name, config, tmp_path):
    sweep = load_sweep(MODELS / name)
    made = obtain(sweep, sweep.config(config), store=Store(tmp_path / "store"))
    reports = json.loads((ROOT / "reports" / name / "report.json").read_text())["reports"]
    (known,) = (report for report in reports if report["config"]["name"] == config)
    assert made.float_score == known["accuracy"]["float_model"]
    assert made.quantized_score == known["accuracy"]["quantized"]
