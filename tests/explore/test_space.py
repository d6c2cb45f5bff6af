"""The section `search` of a sweep file: what varies, what is weighed, what is refused."""

import itertools

import pytest
from pydantic import ValidationError

from gatewright.errors import InputError
from gatewright.explore.space import Search, grid, lay_over, load_search, size

BITS = {"bits.a": [2, 3]}


def search(**keys):
    return Search.model_validate({"base": "w8", "space": BITS, **keys})


def values(dimension):
    return search(space={"x": dimension}).space["x"].values


def test_ranges_are_what_python_counts():
    assert values({"low": 8, "high": 32, "step": 4}) == tuple(range(8, 33, 4))
    assert values({"low": 1, "high": 3}) == (1, 2, 3)
    assert values({"low": 0.0, "high": 0.3, "step": 0.1}) == (0.0, 0.1, 0.2, 0.3)
    assert values({"low": 0.0, "high": 0.3}) is None
    assert values(["binary", 4, {"weights": 2}]) == ("binary", 4, {"weights": 2})


def test_a_grid_is_the_product():
    made = search(space={"a": [1, 2, 3], "b": {"low": 5, "high": 6}, "c": ["x"]})
    expected = [{"a": a, "b": b, "c": c} for a, b, c in itertools.product([1, 2, 3], [5, 6], ["x"])]
    assert list(grid(made)) == expected
    assert size(made) == 6
    assert size(search(space={"a": [1], "b": {"low": 0.5, "high": 1}})) == float("inf")


def test_accuracy_is_that_on_validation_data():
    made = search(objectives=["accuracy", "xcup.lut"], constraints=["accuracy>=0.9", "dsp<=0"])
    assert made.objectives == ("accuracy_validation", "xcup.lut")
    assert made.constraints == ("accuracy_validation>=0.9", "dsp<=0")
    assert search(constraints=["fits=xc7z020"]).constraints[:2] == (
        "xc7.lut<=53200",
        "xc7.ff<=106400",
    )


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"objectives": ["luts"]}, "no figure 'luts'"),
        ({"objectives": ["lut", "lut"]}, "given twice"),
        ({"constraints": ["lut<=many"]}, "not a number"),
        ({"constraints": ["fits=xc9"]}, "part 'xc9' is not known"),
        ({"constraints": "lut<=5"}, "write a list of limits"),
        ({"space": {}}, "no 'space'"),
        ({"space": {"a": [2, 2]}}, "given twice"),
        ({"space": {"a": 5}}, "choices"),
        ({"space": {"a": {"low": 3, "high": 2}}}, "low must be below high"),
        ({"space": {"a": {"low": 0, "high": 5, "step": 2}}}, "whole number of steps"),
        ({"space": {"a": {"low": 0, "high": 5, "log": True}}}, "above 0"),
        ({"space": {"a": {"low": 0.0, "high": 1.0}}, "sampler": "grid"}, "needs a step"),
        ({"sampler": "list"}, "but there are none"),
        ({"points": [{"bits.b": 2}]}, "'bits.b' is not in the space"),
        ({"window": 0}, "greater than or equal to 1"),
        ({"validation": 0.0}, "greater than 0"),
        ({"trails": 3}, "Extra inputs"),
    ],
)
def test_refusals(keys, problem):
    with pytest.raises(ValidationError, match=problem):
        search(**keys)


def test_values_take_their_places():
    fields = {
        "bits": {"a": {"weights": 8, "activations": 8}, "default": 6},
        "recipe": [{"train": {}}, {"prune": {"amount": 0.5}}, "quantize"],
        "architecture": {"hidden": [32, 16]},
        "conversion": {"target": "xcup", "settings": {"a.reuse_factor": 1}},
    }
    laid = lay_over(
        fields,
        {
            "bits.a.weights": 3,
            "bits.b.activations": 4,
            "recipe.1.prune.amount": 0.25,
            "recipe.2.quantize.epochs": 7,
            "architecture.hidden.0": 24,
            "conversion.settings.a.reuse_factor": 16,
            "conversion.clock_ns": 4.0,
        },
    )
    assert laid == {
        "bits": {
            "a": {"weights": 3, "activations": 8},
            "b": {"weights": 6, "activations": 4},
            "default": 6,
        },
        "recipe": [{"train": {}}, {"prune": {"amount": 0.25}}, {"quantize": {"epochs": 7}}],
        "architecture": {"hidden": [24, 16]},
        "conversion": {"target": "xcup", "settings": {"a.reuse_factor": 16}, "clock_ns": 4.0},
    }
    assert fields["bits"]["a"]["weights"] == 8  # what was given stays
    assert lay_over({"bits": 8}, {"bits.a.weights": 2})["bits"] == {
        "default": 8,
        "a": {"weights": 2, "activations": 8},
    }


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("recipe.5.prune.amount", "items are 0 to 1"),
        ("recipe.one.prune", "no item 'one'"),
        ("recipe.1.prune.amount", "this step is quantize, not prune"),
        ("input_precision.width", "has no parts"),
    ],
)
def test_places_that_are_not_there(path, problem):
    fields = {"recipe": ["train", {"quantize": {}}], "input_precision": "ufixed<5,1>"}
    with pytest.raises(InputError, match=problem):
        lay_over(fields, {path: 1})


SWEEP = """
description: two layers
layers: [a, b]
defaults:
  input_precision: ufixed<5,1>
  training: {epochs: 3, batch_size: 8, learning_rate: 0.01, seed: 1}
configs:
  - {name: w8, bits: 8, recipe: [train, {prune: {amount: 0.5}}, quantize]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text("")

    def write(text):
        (tmp_path / "sweep.yaml").write_text(SWEEP + text)
        return tmp_path

    return write


def test_points_become_configurations(folder):
    plan = load_search(
        folder("search: {base: w8, space: {bits.a.weights: [2, 3], recipe.1.prune.amount: "
               "{low: 0.1, high: 0.9}}, validation: 0.25}"),
        trials=7,
    )  # fmt: skip
    config = plan.config("trial3", {"bits.a.weights": 2, "recipe.1.prune.amount": 0.75})
    assert config.name == "trial3"
    assert (config.bits["a"].weights, config.bits["a"].activations) == (2, 8)
    assert config.recipe[1].amount == 0.75
    assert config.training.validation == 0.25
    assert config.training.epochs == 3
    assert plan.search.trials == 7


def test_a_base_of_its_own(folder):
    plan = load_search(
        folder("search: {base: {bits: 5, conversion: {clock_ns: 4.0}}, space: {bits.b: [3]}}")
    )
    config = plan.config("trial0", {"bits.b": 3})
    assert (config.bits["a"].weights, config.bits["b"].weights) == (5, 3)
    assert config.conversion.clock_ns == 4.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no section 'search'"),
        ("search: {base: w9, space: {bits.a: [2]}}", "there is no config 'w9'"),
        ("search: {base: w8, space: {bits.a: [1]}}", "trial0 of the search: bits.a"),
        ("search: {base: w8, space: {bits.c: [2]}}", "bits.c: is not a layer"),
        ("search: {base: w8, space: {bits.a: [2]}, trials: 0}", "search: trials"),
        ("search: {space: {bits.a: [2]}}", "search: base: is missing"),
        ("search: {base: w8, space: {recipe.1.quantize.x: [2]}}", "this step is prune"),
    ],
)
def test_files_that_are_wrong(folder, text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        load_search(folder(text))
    assert "sweep.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
