"""Sweep files: what is read from them, and what is said of wrong ones."""

import copy
import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from gatewright.compress.recipe import Prune, Quantize, Train, trains_bits
from gatewright.errors import InputError
from gatewright.zoo import LayerBits, load_sweep

MODELS = Path(__file__).parents[2] / "models"

GOOD = {
    "description": "a test",
    "layers": ["a", "b"],
    "defaults": {
        "input_precision": "ufixed<5,1>",
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "seed": 1},
        "conversion": {"target": "xc7", "settings": {"a.strategy": "latency"}},
    },
    "configs": [
        {"name": "u6", "bits": 6},
        {
            "name": "mixed",
            "bits": {"a": 3, "b": {"weights": 4, "activations": 5}},
            "training": {"epochs": 7},
            "conversion": {"clock_ns": 4, "settings": {"b.table_size": 512}},
        },
    ],
}


def write(folder, content):
    (folder / "model.py").write_text("")
    (folder / "sweep.yaml").write_text(
        content if isinstance(content, str) else yaml.safe_dump(content)
    )
    return folder / "sweep.yaml"


def test_defaults_lie_under_each_config(tmp_path):
    write(tmp_path, GOOD)
    sweep = load_sweep(tmp_path)
    assert (sweep.name, sweep.model_dir) == (tmp_path.name, tmp_path.resolve())
    uniform, mixed = sweep.configs
    assert uniform.bits == {name: LayerBits(weights=6, activations=6) for name in ("a", "b")}
    assert uniform.training.epochs == 2
    assert uniform.options.input_precision == "ufixed<5,1>"
    assert uniform.options.settings == (("a.strategy", "latency"),)
    assert mixed.bits["b"] == LayerBits(weights=4, activations=5)
    assert (mixed.training.epochs, mixed.training.batch_size) == (7, 8)
    assert (mixed.options.target, mixed.options.clock_ns) == ("xc7", 4.0)
    # Key by key goes as far as the keys of `conversion`: a setting is replaced with its siblings.
    assert mixed.options.settings == (("b.table_size", "512"),)
    assert sweep.config("mixed") is mixed
    with pytest.raises(InputError, match=r"no config 'x'; choose from u6, mixed"):
        sweep.config("x")


def test_every_option_of_a_conversion_can_be_set(tmp_path):
    asked = {
        "io": "stream",
        "reuse_factor": 4,
        "strategy": "resource",
        "precision": "fixed<12,4>",
        "inference": "hls4ml",
        "preset": "classifier",
        "settings": {"a.reuse_factor": 2},
        "target": "xc7",
        "clock_ns": 8.0,
        "derate": 1.2,
        "target_ii": 64,
        "fps": None,
        "handshake": "credit",
        "register_ports": True,
        "check_frames": True,
        "bus_width": 64,
        "pixels_per_clock": 8,
    }
    write(tmp_path, change("configs", 0, to={"name": "x", "bits": 6, "conversion": asked}))
    options = load_sweep(tmp_path).configs[0].options
    expected = asked | {"input_precision": "ufixed<5,1>", "settings": (("a.reuse_factor", "2"),)}
    # Files of the command line's: a sweep's types are those of its quantizers.
    expected |= {"data": None, "hls_settings": ()}
    assert asdict(options) == expected


def test_bits_have_a_default(tmp_path):
    bits = {"a": {"weights": "ternary", "activations": 6}, "default": 3}
    write(tmp_path, change("configs", 0, "bits", to=bits))
    assert load_sweep(tmp_path).configs[0].bits == {
        "a": LayerBits(weights="ternary", activations=6),
        "default": LayerBits(weights=3, activations=3),
    }


def test_recipe_architecture_and_data(tmp_path):
    asked = {
        "recipe": ["train", {"prune": {"amount": 0.5}}, "quantize"],
        "architecture": {"width": 4},
        "data": {"classes": [1, 2]},
        "relu_integer": {"a": 1},
    }
    content = change("configs", 0, to={"name": "x", "bits": 6} | asked)
    content["defaults"] |= {"architecture": {"width": 3, "depth": 2}, "data": {"noise": 0.5}}
    write(tmp_path, content)
    config, other = load_sweep(tmp_path).configs
    assert config.recipe == (Train(), Prune(amount=0.5), Quantize())
    assert config.architecture == {"width": 4, "depth": 2}
    assert config.data == {"classes": [1, 2], "noise": 0.5}
    assert config.relu_integer == {"a": 1}
    assert other.recipe == (Train(), Quantize())
    assert (other.architecture, other.data) == ({"width": 3, "depth": 2}, {"noise": 0.5})
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - what was just written


def test_a_search_may_stand_in_the_place_of_configs(tmp_path):
    content = change("configs", drop=True) | {"search": {"trials": 3}}
    write(tmp_path, content)
    sweep = load_sweep(tmp_path)
    assert (sweep.configs, sweep.search) == ((), {"trials": 3})
    config = sweep.make_config({"name": "found", "bits": 5, "training": {"seed": 4}}, "trial 1")
    assert (config.bits["a"].weights, config.training.seed, config.training.epochs) == (5, 4, 2)
    with pytest.raises(InputError, match=r"sweep\.yaml: trial 2: bits: is missing"):
        sweep.make_config({"name": "x"}, "trial 2")


def test_file_and_folder_are_the_same(tmp_path):
    file = write(tmp_path, GOOD)
    assert load_sweep(file) == load_sweep(tmp_path)


def change(*path, to=None, drop=False):
    content = copy.deepcopy(GOOD)
    at = content
    for key in path[:-1]:
        at = at[key]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [", r"not a sweep \(line 1: "),
        ("[]", "no mapping of fields"),
        (change("layers", drop=True), "layers: is missing"),
        (change("layer", to=["a"]), "layer: is not a known key"),
        (change("configs", to=[]), "there are neither configs nor a search"),
        (change("configs", 0, "name", drop=True), r"configs\[0\]: name: is missing"),
        (change("configs", 0, "name", to="../x"), r"config '../x': name: .*not '../x'"),
        (change("configs", 1, "name", to="u6"), "configs: the name 'u6' is given twice"),
        (change("defaults", "name", to="x"), "defaults.name"),
        (change("configs", 0, "bits", drop=True), "config 'u6': bits: is missing"),
        (change("configs", 0, "bits", to=1), "config 'u6': bits.a.weights: .*called binary, not 1"),
        (change("configs", 0, "bits", to=True), "config 'u6': bits: .*not True"),
        (change("configs", 0, "recipe", to="train"), "'u6': recipe: a recipe is a list of steps"),
        (change("configs", 0, "recipe", to=["prune"]), r"recipe: step 1 \(prune\): amount: is mis"),
        (change("configs", 0, "recipe", to=["train"]), "recipe: no step quantizes, which hardware"),
        (change("configs", 0, "architecture", to=[1]), "'u6': architecture: .*dictionary"),
        (change("configs", 0, "relu_integer", to=-1), "'u6': relu_integer"),
        (
            change("configs", 1, "bits", "a", to=20),
            "'mixed': bits.a.weights: .*2 to 16 bits.*, not 20",
        ),
        (change("configs", 1, "bits", "a", drop=True), "'mixed': bits.a: is missing; layers are"),
        (change("configs", 1, "bits", "c", to=3), "'mixed': bits.c: is not a layer; layers are a"),
        (change("configs", 1, "bits", "b", to={"weights": 4}), "bits.b.activations: is missing"),
        (change("configs", 0, "input_precision", to="fix<3>"), "'u6': precision 'fix<3>' is not"),
        (change("defaults", "training", "seed", drop=True), "'u6': training.seed: is missing"),
        (change("defaults", "training", "epochs", to="9"), "training.epochs: .*not '9'"),
        (change("configs", 1, "training", "epoch", to=3), "training.epoch: is not a known key"),
        (change("defaults", "conversion", "target", to="z80"), "'u6': target 'z80' does not exist"),
        (change("defaults", "conversion", "preset", to="zip"), "'u6': preset 'zip' does not exist"),
        (change("defaults", "conversion", "io", to="serial"), "conversion.io: .*not 'serial'"),
        (change("defaults", "conversion", "reuse_factor", to=0), "reuse factor 0"),
        (change("defaults", "conversion", "target_ii", to=0), "target II 0"),
        (change("configs", 1, "conversion", to={"target_ii": 9, "fps": 1e3}), "one of the two"),
    ],
)
def test_a_wrong_sweep_is_named(tmp_path, content, says):
    file = write(tmp_path, content)
    with pytest.raises(InputError, match=says) as caught:
        load_sweep(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent: no such sweep"):
        load_sweep(tmp_path / "absent")
    with pytest.raises(InputError, match=r"sweep\.yaml: no such sweep"):
        load_sweep(tmp_path)
    file = write(tmp_path, GOOD)
    (tmp_path / "model.py").unlink()
    with pytest.raises(InputError, match=r"no model\.py beside it"):
        load_sweep(file)
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not a sweep"):
        load_sweep(file)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in MODELS.glob("*/sweep.yaml")))
def test_the_zoo_is_valid(folder):
    sweep = load_sweep(MODELS / folder)
    assert len(sweep.configs) >= 5
    assert all(trains_bits(config.recipe) for config in sweep.configs) or any(
        len({repr(bits) for bits in config.bits.values()}) > 1 for config in sweep.configs
    )


def test_digits_cnn_has_bits_and_reuse_factors():
    configs = load_sweep(MODELS / "digits_cnn").configs
    assert len({repr(config.bits) for config in configs}) >= 4
    assert {config.options.reuse_factor or 1 for config in configs} >= {1, 4, 16}
    assert {config.options.io for config in configs} == {"parallel", "stream"}


def test_digits_has_the_uniform_widths():
    uniform = {
        config.bits["hidden1"].weights
        for config in load_sweep(MODELS / "digits_mlp").configs
        if len({repr(bits) for bits in config.bits.values()}) == 1
    }
    assert uniform >= {8, 6, 4, 3}


def test_importing_and_loading_need_no_tensorflow():
    code = (
        "import sys, pathlib, gatewright.zoo as zoo;"
        f"zoo.load_sweep(pathlib.Path({str(MODELS / 'digits_mlp')!r}));"
        "sys.exit(bool({'tensorflow', 'tf_keras', 'hls4ml', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
