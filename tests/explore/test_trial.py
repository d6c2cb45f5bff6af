"""What a trial depends on, and which recipe stands for it before training."""

from pathlib import Path

import pytest

from explore import made_up
from gatewright.compress.recipe import parse_recipe
from gatewright.errors import DesignFailure
from gatewright.explore import trial
from gatewright.explore.outcome import Limits
from gatewright.explore.trial import Task, find_outcome, find_result, without_fitting
from gatewright.zoo import load_sweep

CONFIGS = """
description: two layers
layers: [a, b]
defaults:
  bits: 4
  input_precision: ufixed<5,1>
  training: {epochs: 3, batch_size: 8, learning_rate: 0.01, seed: 1}
configs:
  - {name: plain}
  - {name: same}
  - {name: calibrated, recipe: [train, calibrate]}
  - name: searched
    recipe: [train, {quantize: {max_loss: 0.01}}]
    training: {validation: 0.2}
  - {name: from_file, recipe: [{transfer: {model: start.h5}}, quantize]}
  - {name: taught, recipe: [train, {distil: {teacher: {model: start.h5}}}, quantize]}
  - {name: from_zoo, recipe: [{transfer: {model: ../other/plain}}, quantize]}
  - {name: fast, conversion: {clock_ns: 2.0}}
"""


@pytest.fixture
def folder(tmp_path):
    made_up.model(tmp_path / "other", CONFIGS)
    made = made_up.model(tmp_path / "toy", CONFIGS)
    (made / "start.h5").write_bytes(b"weights")
    return made


def content(folder: Path, name: str, wanted=("lut",)):
    sweep = load_sweep(folder)
    return Task(sweep, sweep.config(name), wanted, Limits(), folder / "store").content()


def test_a_trial_is_what_its_figures_depend_on(folder):
    names = ["plain", "calibrated", "from_file", "taught", "from_zoo", "fast"]
    contents = [content(folder, name) for name in names]
    assert all(a != b for i, a in enumerate(contents) for b in contents[:i])
    assert content(folder, "plain") == content(folder, "same")  # its name is none of it
    assert content(folder, "plain") != content(folder, "plain", ("lut", "latency"))


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("toy/model.py", {"plain", "from_file", "taught", "from_zoo"}),
        ("toy/start.h5", {"from_file", "taught"}),
        ("other/model.py", {"from_zoo"}),
    ],
)
def test_a_trial_is_another_once_what_it_is_made_of_changes(folder, file, concerned):
    names = ["plain", "from_file", "taught", "from_zoo"]
    before = {name: content(folder, name) for name in names}
    with (folder.parent / file).open("ab") as changed:
        changed.write(b"\n")
    assert {name for name in names if content(folder, name) != before[name]} == concerned


def test_a_store_that_knows_nothing(folder):
    sweep = load_sweep(folder)
    task = Task(sweep, sweep.config("plain"), ("lut",), Limits(), folder / "store")
    assert find_outcome(task) is None
    assert find_result(task) is None
    assert not (folder / "store").exists()


def test_targets_are_those_of_the_figures(folder):
    sweep = load_sweep(folder)

    def targets(*wanted):
        return Task(sweep, sweep.config("plain"), wanted, Limits(), folder / "store").targets

    assert targets("accuracy_validation", "lut") == ("xcup",)
    assert targets("xc7.lut", "xcup.dsp") == ("xcup", "xc7")


def test_before_training_stands_a_recipe_without_fitting():
    recipe = parse_recipe(
        [
            "train",
            {"distil": {"temperature": 2.0}},
            {"prune": {"amount": 0.5, "epochs": 9}},
            "quantize",
            "finetune",
        ]
    )
    soon = without_fitting(recipe)
    assert [(step.name, step.epochs) for step in soon] == [
        ("train", 1),
        ("prune", 0),
        ("quantize", 0),
    ]
    assert soon[1].amount == 0.5
    calibrated = parse_recipe([{"transfer": {"model": "x.h5"}}, "calibrate"])
    assert [step.name for step in without_fitting(calibrated)] == ["transfer", "calibrate"]
    assert without_fitting(calibrated)[0].epochs == 0


@pytest.mark.parametrize(("name", "looks_ahead"), [("plain", True), ("searched", False)])
def test_cost_is_foreseen_where_bits_are_given(folder, monkeypatch, name, looks_ahead):
    recipes = []

    def obtain(sweep, config, **options):
        recipes.append(config.recipe)
        raise DesignFailure("as far as this test goes")

    monkeypatch.setattr(trial, "obtain", obtain)
    sweep = load_sweep(folder)
    config = sweep.config(name)
    limits = Limits(ebops=1e9)
    outcome = trial.run_trial(Task(sweep, config, ("lut",), limits, folder / "store"))
    assert outcome.error == "as far as this test goes"
    assert recipes == [without_fitting(config.recipe) if looks_ahead else config.recipe]
