"""Walking a recipe: what is made and what is found, with a worker that fits nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.compress import code as hashes
from gatewright.compress import recipe_walk as run
from gatewright.compress.bits import LayerBits
from gatewright.compress.recipe import Train, Training, parse_recipe
from gatewright.compress.recipe_walk import Source, Stopped, obtain
from gatewright.errors import DataError, InputError
from gatewright.store import Store
from gatewright.system import versions
from pretended import pretend
from waiting import gone, wait_until

TRAINING = Training(epochs=3, batch_size=8, learning_rate=0.1, seed=1)
SPLIT = TRAINING.model_copy(update={"validation": 0.25})
BITS = {"out": LayerBits(weights=4, activations=4)}
CURVE = [0.5, 0.7, 0.6]
FOUND = {"out": {"weights": 3, "activations": 5}}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    (folder / "model.py").write_text("from gatewright.zoo.data import digits\n")
    return Source(folder, input_precision="fixed<4,1>")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def asked(monkeypatch):
    def answer(request, count):
        split = bool(request["training"]["validation"])
        curve = CURVE[: request["training"]["epochs"]] if split else []
        floor = request["floor"]
        below = [i for i, least in enumerate(floor) if i < len(curve) and curve[i] < least]
        return {
            "scores": {"train": 0.9, "test": 0.5 + 0.1 * count},
            "losses": [3.0, 2.0, 1.0],
            "curve": curve[: below[0] + 1] if below else curve,
            "stopped": bool(below),
            "devices": ["CPU:0"],
            "bits": FOUND if "max_loss" in request["settings"] else {},
        }

    return pretend(monkeypatch, answer)


def go(source, store, steps, training=TRAINING, **options):
    return obtain(source, parse_recipe(steps), training, store=store, **({"bits": BITS} | options))


def steps_of(requests):
    return [request["step"] for request in requests]


def test_a_step_is_done_once(source, store, asked):
    first = go(source, store, ["train", "quantize"])
    assert steps_of(asked) == ["data", "train", "quantize"]
    assert not first.cached
    assert (first.float_score, first.quantized_score) == (0.7, 0.8)
    again = go(source, store, ["train", "quantize"])
    assert len(asked) == 3
    assert again.cached
    assert (again.key, again.path) == (first.key, first.path)
    np.testing.assert_array_equal(again.outputs["out"], np.eye(2))
    # A longer recipe goes on from there, another branches off where it differs.
    longer = go(source, store, ["train", "quantize", "finetune"])
    assert [step.cached for step in longer.steps] == [True, True, False]
    go(source, store, ["train", {"prune": {"amount": 0.5}}, "quantize"])
    assert steps_of(asked[3:]) == ["finetune", "prune", "quantize"]


def test_a_step_starts_from_the_one_before(source, store, asked):
    made = go(source, store, ["train", "quantize", "finetune"])
    _, train, quantize, finetune = asked
    assert train["parent"] is None
    assert quantize["parent"] == str(made.steps[0].path)
    assert finetune["parent"] == str(made.steps[1].path)
    assert (train["architecture"], quantize["architecture"]) == ({}, None)


def test_steps_have_settings_of_their_own(source, store, asked):
    made = go(source, store, ["train", {"quantize": {"epochs": 9, "bits": 3}}, "finetune"])
    assert [request["training"]["epochs"] for request in asked[1:]] == [3, 9, 3]
    three = {"weights": 3, "activations": 3}
    assert made.steps[1].settings["bits"] == {"default": three}
    assert made.steps[1].settings["epochs"] == 9
    assert made.steps[1].settings["relu_integer"] == 2
    with pytest.raises(InputError, match=r"quantize: bits: is missing"):
        go(source, store, ["train", "quantize"], bits=None)


def test_bits_are_found_where_a_loss_is_allowed(source, store, asked):
    searching = {"max_loss": 0.02, "bits": 6}
    with pytest.raises(InputError, match=r"quantize: max_loss needs validation data; set train"):
        go(source, store, ["train", {"quantize": searching}])
    assert not asked
    for step in ("quantize", "calibrate"):
        made = go(source, store, ["train", {step: searching}], SPLIT)
        assert asked[-1]["settings"]["max_loss"] == 0.02
        assert "gatewright.compress.sensitivity" in asked[-1]["code"]
        assert made.steps[1].settings["bits"] == FOUND
        assert go(source, store, ["train", {step: searching}], SPLIT).cached
        plain = go(source, store, ["train", {step: {"bits": 6}}], SPLIT)
        assert "gatewright.compress.sensitivity" not in asked[-1]["code"]
        six = {"weights": 6, "activations": 6}
        assert plain.steps[1].settings["bits"] == {"default": six}
    assert steps_of(asked) == ["data", "train", "quantize", "quantize", "calibrate", "calibrate"]


def edit_model(source):
    (source.model_dir / "model.py").write_text("pass\n")


def edit_helper(source):
    (source.model_dir / "helper.py").write_text("pass\n")


@pytest.mark.parametrize(
    ("change", "remade"),
    [
        ({"data": {"classes": [0, 1]}}, ["data", "train", "quantize"]),
        ({"input_precision": "fixed<5,1>"}, ["data", "train", "quantize"]),
        ({"architecture": {"width": 2}}, ["train", "quantize"]),
        ({"training": TRAINING.model_copy(update={"seed": 2})}, ["train", "quantize"]),
        ({"training": TRAINING.model_copy(update={"cpu_devices": 2})}, ["train", "quantize"]),
        ({"training": SPLIT}, ["data", "train", "quantize"]),
        ({"bits": {"out": LayerBits(weights=4, activations=5)}}, ["quantize"]),
        ({"relu_integer": 1}, ["quantize"]),
        ({"steps": ["train", {"quantize": {"freeze": ["a"]}}]}, ["quantize"]),
        ({"edit": edit_model}, ["data", "train", "quantize"]),
        ({"edit": edit_helper}, ["data", "train", "quantize"]),
        ({"version": "tensorflow"}, ["train", "quantize"]),
        ({"version": "scikit-learn"}, ["data", "train", "quantize"]),
        ({"code": "gatewright.zoo.data"}, ["data", "train", "quantize"]),
        ({"code": "gatewright.compress.fit"}, ["train", "quantize"]),
        ({"code": "gatewright.compress.bits"}, ["train", "quantize"]),
        ({"code": "gatewright.compress.batchnorm_folding"}, ["quantize"]),
        ({"code": "gatewright.compress.remove"}, []),
        ({"code": "gatewright.synth"}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_what_changes_a_model_changes_its_key(source, store, asked, monkeypatch, change, remade):
    go(source, store, ["train", "quantize"])
    fields = {key: change[key] for key in ("data", "input_precision", "architecture")
              if key in change}  # fmt: skip
    options = {key: change[key] for key in ("training", "bits", "relu_integer") if key in change}
    if "edit" in change:
        change["edit"](source)
    if "version" in change:
        true = versions.version_of
        monkeypatch.setattr(
            versions, "version_of", lambda name: "0" if name == change["version"] else true(name)
        )
    if "code" in change:
        changed, hash_of = hashes._module_file(change["code"]), hashes.hash_file
        monkeypatch.setattr(
            hashes, "hash_file", lambda file: "0" if file == changed else hash_of(file)
        )
    hashes.code_of.cache_clear()
    go(run.replace(source, **fields), store, change.get("steps", ["train", "quantize"]), **options)
    hashes.code_of.cache_clear()
    assert steps_of(asked[3:]) == remade


def test_a_teacher_is_the_float_model_or_one_of_another_architecture(source, store, asked):
    made = go(source, store, ["train", "quantize", "distil"])
    assert asked[-1]["teacher"] == str(made.steps[0].path)
    bigger = {"distil": {"teacher": {"architecture": {"width": 9}}}}
    go(source, store, [bigger])
    assert steps_of(asked[4:]) == ["train", "distil"]
    assert [request["architecture"] for request in asked[4:]] == [{"width": 9}, {}]
    assert asked[5]["teacher"] != str(made.steps[0].path)


def test_models_in_files_count_by_content(source, store, asked, tmp_path):
    file = source.model_dir / "other.h5"
    file.write_bytes(b"1")
    learn = {"distil": {"teacher": {"model": "other.h5"}}}
    steps = [{"transfer": {"model": "other.h5"}}, learn]
    go(source, store, steps)
    assert [asked[1]["origin"], asked[2]["teacher"]] == [str(file)] * 2
    parse_recipe([{request["step"]: request["settings"]} for request in asked[1:]])  # whole
    moved = file.rename(tmp_path / "moved.h5")
    assert go(source, store, steps, models={"other.h5": moved}).cached
    file.write_bytes(b"2")
    assert [step.cached for step in go(source, store, steps).steps] == [False, False]
    file.unlink()
    with pytest.raises(InputError, match=r"other\.h5: no such file"):
        go(source, store, steps)


def test_a_training_below_the_floor_is_stopped_and_remembered(source, store, asked):
    recipe = ["train", "quantize"]
    floor = [0.4, 0.6, 0.6, 0.5, 0.8]  # CURVE twice, and below in the second epoch of `quantize`
    for _ in range(2):
        with pytest.raises(
            Stopped,
            match=r"top-1 accuracy 0\.7 on the validation data is worse than 0\.8 in epoch 5",
        ) as caught:
            go(source, store, recipe, SPLIT, floor=floor)
        assert caught.value.curve == (0.5, 0.7, 0.6, 0.5, 0.7)
        assert steps_of(asked) == ["data", "train", "quantize"]
    # No model has come of it.
    made = go(source, store, recipe, SPLIT)
    assert [step.cached for step in made.steps] == [True, False]
    assert made.curve == (0.5, 0.7, 0.6, 0.5, 0.7, 0.6)


def test_a_training_that_is_found_is_stopped_as_if_it_were_made(source, store, asked):
    go(source, store, ["train"], SPLIT)
    with pytest.raises(Stopped) as caught:
        go(source, store, ["train"], SPLIT, floor=[0.5, 0.8])
    assert caught.value.curve == (0.5, 0.7)
    assert go(source, store, ["train"], SPLIT, floor=[0.5, 0.7, 0.6, 1.0]).cached
    assert steps_of(asked) == ["data", "train"]


def test_a_floor_needs_validation_data(source, store, asked):
    with pytest.raises(
        InputError, match=r"limits of the validation metric need training\.validation"
    ):
        go(source, store, ["train"], floor=[0.5])
    assert not asked


def test_what_fails_or_is_interrupted_leaves_nothing(source, store, asked, monkeypatch):
    def interrupted(self, request, folder):
        (folder / Train.model_file).write_bytes(b"half")
        raise KeyboardInterrupt

    go(source, store, ["train"])
    with monkeypatch.context() as patch:
        patch.setattr(run.Worker, "do", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go(source, store, ["train", "quantize"])
    assert len(store.entries()) == 2
    assert not go(source, store, ["train", "quantize"]).cached


def test_a_missing_library_is_named(source, store, asked, monkeypatch):
    monkeypatch.setattr(run, "_STEP_LIBRARIES", ("no-such-library",))
    with pytest.raises(InputError, match=r"needs no-such-library: pip install 'gatewright\[zoo\]'"):
        go(source, store, ["train"])


def test_a_folder_without_a_model_is_named(store, tmp_path):
    with pytest.raises(InputError, match=r"model\.py: no such file"):
        go(Source(tmp_path), store, ["train"])
    (tmp_path / "model.py").write_text("a b\n")
    with pytest.raises(InputError, match=r"model\.py: line 1: invalid syntax"):
        go(Source(tmp_path), store, ["train"])


def test_a_worker_ends_with_whoever_started_it(source, store):
    (source.model_dir / "model.py").write_text(
        "import os, pathlib, time\n"
        "def load_data():\n"
        "    file = pathlib.Path(__file__).with_name('pid')\n"
        "    file.with_suffix('.new').write_text(str(os.getpid()))\n"
        "    file.with_suffix('.new').rename(file)\n"
        "    time.sleep(300)\n"
    )
    code = (
        "import sys, pathlib\n"
        "from gatewright.compress.recipe_walk import *\n"
        "from gatewright.compress.recipe import *\n"
        "training = Training(epochs=1, batch_size=1, learning_rate=0.1, seed=1)\n"
        "obtain(Source(pathlib.Path(sys.argv[1])), [Train()], training,"
        " store=Store(pathlib.Path(sys.argv[2])))\n"
    )
    pid = source.model_dir / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(source.model_dir), str(store.root)]
    ) as starter:
        wait_until(pid.exists, 120)
        starter.send_signal(signal.SIGKILL)
    worker = int(pid.read_text())
    wait_until(lambda: gone(worker), 120)
    assert store.entries() == []


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path, store):
    cases = {
        "def load_data():\n    raise ValueError('no data')\n": "failed: ValueError: no data",
        "import os, sys\ndef load_data():\n    os._exit(3)\n": "process ended with status 3",
        "def load_data(classes):\n    pass\n": r"load_data\(\) missing 1 required",
    }
    for number, (code, says) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.py").write_text(code)
        with pytest.raises(DataError, match=says) as caught:
            go(Source(folder), store, ["train"])
        assert str(folder / "model.py") in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not Path(store.root / "entries").is_dir() or not store.entries()
