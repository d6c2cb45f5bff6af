"""`gatewright quantize`: from file to file, what it says, what it refuses."""

import json
import shutil
import sys

import h5py
import numpy as np
import pytest

from compress.models import golden_outputs, on_grid, spread
from gatewright.cli import commands as cli
from gatewright.compress.bits import LayerBits
from gatewright.compress.model_files import load_model
from gatewright.compress.quantize import quantize
from gatewright.frontend.quiet import quiet


@pytest.fixture(scope="module")
def files(keras, tmp_path_factory):
    """A float model in all kinds of files, with batch normalization and activations inside."""
    folder = tmp_path_factory.mktemp("models")
    k = keras.layers
    inputs = keras.Input((5, 5, 2), name="in")
    x = k.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = k.Conv2D(4, 2, use_bias=False, name="more")(x)
    x = k.ReLU(name="act")(k.BatchNormalization(name="norm")(x))
    x = k.Dropout(0.5, name="drop")(k.Flatten(name="flat")(x))
    model = spread(keras.Model(inputs, k.Dense(3, activation="softmax", name="out")(x), name="net"))
    with quiet():
        model.save(folder / "m.h5")
        model.save(folder / "m.keras")
        model.save_weights(folder / "w.h5")
    (folder / "m.json").write_text(model.to_json())
    samples = on_grid((200, 5, 5, 2))
    labels = model.predict(samples, verbose=0).argmax(axis=1)
    np.savez(folder / "data.npz", x=samples, y=labels)
    np.save(folder / "x.npy", samples)
    return folder, model, samples


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, files):
    """Runs `quantize` in an empty folder beside copies of the files; gives status, out, err."""
    monkeypatch.chdir(tmp_path)
    for file in files[0].iterdir():
        shutil.copy(file, tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["quantize", *map(str, arguments)])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    "file",
    [
        ("m.h5",),
        pytest.param(("m.keras",), marks=pytest.mark.full),
        ("m.json", "--weights", "w.h5"),
    ],
)
def test_every_kind_of_file_gives_the_same_model(run, files, tmp_path, file):
    status, out, _ = run(*file, "--bits", 6, "--data", "data.npz", "-o", "q.h5", "--json")
    assert status == 0
    result = json.loads(out)
    assert result["bits"] == {"default": {"weights": 6, "activations": 6}}
    assert result["float_accuracy"] == 1
    assert 0.9 < result["accuracy"] <= 1
    ranges = {(each["layer"], each["what"]): each for each in result["ranges"]}
    assert set(ranges) == {
        *(("conv", what) for what in ("kernel", "bias")),
        *(("more", what) for what in ("kernel", "bias")),
        *(("out", what) for what in ("kernel", "bias")),
        ("conv_relu", "activation"),
        ("act", "activation"),
    }
    assert all(each["bits"] == 6 and 0 <= each["saturated"] < 0.2 for each in ranges.values())
    loaded = load_model(tmp_path / "q.h5")
    predicted = loaded.predict(files[2], verbose=0)
    assert np.mean(predicted.argmax(axis=1) == np.load("data.npz")["y"]) == result["accuracy"]


def test_the_file_becomes_hardware_that_computes_the_same(run, files, tmp_path, keras):
    run("m.h5", "--bits", "ternary,6", "--bits", "out=5", "--data", "x.npy", "-o", "q.h5")
    loaded = load_model(tmp_path / "q.h5")
    logits = keras.Model(loaded.inputs, loaded.get_layer("out").output)
    x = on_grid((100, 5, 5, 2), 3)
    np.testing.assert_array_equal(golden_outputs(logits, x), logits.predict(x, verbose=0))
    with pytest.raises(SystemExit) as ended:
        cli.main(["convert", "q.h5", "-o", "project"])
    assert not ended.value.code
    assert (tmp_path / "project" / "rtl" / "project.json").exists()


def test_without_data_it_is_what_training_starts_from(run):
    status, out, err = run(
        "m.h5", "--bits", 4, "--bits", "conv=4,4,7", "--relu-integer", 1, "-o", "q.h5"
    )
    assert status == 0 and err.endswith("q.h5: written\n")
    rows = [[c.strip() for c in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert ["act", "activation", "quantized_relu", "4", "1", ""] in rows
    assert ["conv", "bias", "quantized_bits", "7", "0"] in [row[:5] for row in rows]
    (conv,) = [row for row in rows if row[:2] == ["conv", "kernel"]]
    assert conv[2:5] == ["quantized_bits", "4", "0"] and conv[5].endswith(" %")


def test_shares_of_what_saturates(run, files, keras):
    model = files[1]
    _, out, _ = run("m.h5", "--bits", 4, "-o", "q.h5", "--json")
    ranges = {(each["layer"], each["what"]): each for each in json.loads(out)["ranges"]}
    kernel = model.get_layer("out").get_weights()[0]
    beyond = (kernel > 1 - 1 / 16) | (kernel < -1 - 1 / 16)
    assert ranges["out", "kernel"]["saturated"] == pytest.approx(beyond.mean())
    assert ranges["act", "activation"]["saturated"] is None


def test_sensitivity_is_shown_and_bits_are_found(run):
    status, out, _ = run("m.h5", "--data", "data.npz", "--sensitivity", "--max-loss", "0.05",
                         "-o", "q.h5", "--json")  # fmt: skip
    assert status == 0
    result = json.loads(out)
    assert set(result["bits"]) == {"conv", "more", "out"}
    assert result["accuracy"] >= 0.95
    assert [cell["layer"] for cell in result["sensitivity"][::6]] == ["conv", "more", "out"]
    _, out, _ = run("m.h5", "--data", "data.npz", "--max-loss", "0.05", "--bits", "conv=5",
                    "--bits", "out=6,4", "-o", "q.h5", "--json")  # fmt: skip
    result = json.loads(out)
    assert set(result["bits"]) == {"conv", "out"}  # the other stays float
    assert max(result["bits"]["conv"].values()) <= 5
    assert result["bits"]["out"]["weights"] <= 6 and result["bits"]["out"]["activations"] <= 4
    assert result["accuracy"] >= 0.95
    status, out, err = run("m.h5", "--data", "data.npz", "--sensitivity")
    assert status == 0 and "8 bits" in out and "written" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("m.h5", "-o", "q.h5"), "give bits, e.g. --bits 6"),
        (("m.h5", "--bits", "6"), "give the file to write, as -o OUT.h5"),
        (("m.h5", "--bits", "6", "-o", "q.keras"), "q.keras: QKeras models are saved as .h5"),
        (("m.h5", "--bits", "6,dynamic", "-o", "q.h5"), "hardware has fixed types"),
        (("m.h5", "--bits", "cnv=6", "-o", "q.h5"), "bits of a layer 'cnv', which model 'net'"),
        (
            ("m.h5", "--bits", "ot=6", "--max-loss", "0.1", "--data", "data.npz", "-o", "q.h5"),
            "bits of a layer 'ot', which",
        ),
        (("m.h5", "--max-loss", "2", "-o", "q.h5"), "--max-loss 2: a share of samples"),
        (("m.h5", "--max-loss", "0.1", "-o", "q.h5"), "--max-loss measures a metric; give"),
        (("m.h5", "--sensitivity"), "--sensitivity measures a metric; give samples"),
        (("m.h5", "--sensitivity", "--data", "x.npy"), "x.npy: holds no targets 'y'"),
        (("m.h5", "--bits", "6", "--data", "none.npz", "-o", "q.h5"), "none.npz: no such file"),
        (("m.h5", "--bits", "6", "--data", "m.h5", "-o", "q.h5"), "m.h5: can't be read"),
        (("m.h5", "--bits", "6", "--data", "bad.npz", "-o", "q.h5"), "bad.npz: no samples 'x'"),
        (("none.h5", "--bits", "6", "-o", "q.h5"), "none.h5: no such file"),
        (("m.json", "--bits", "6", "-o", "q.h5"), "an architecture needs its weights"),
        (("m.h5", "--bits", "6", "-o", "none.h5/q.h5"), "none.h5"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, tmp_path, arguments, said):
    np.savez("bad.npz", z=np.zeros(3))
    if "none.h5/q.h5" in arguments:
        (tmp_path / "none.h5").write_text("")
    before = sorted(tmp_path.iterdir())
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err and err.count("\n") == 1
    assert "internal error" not in err
    assert sorted(tmp_path.iterdir()) == before


def spoiled(source, target, change):
    """A copy of an .h5 model with another architecture."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        architecture = json.loads(file.attrs["model_config"])
        change(architecture["config"]["layers"])
        file.attrs["model_config"] = json.dumps(architecture)
    return target


def test_files_name_no_code_to_run(files, tmp_path, monkeypatch):
    """A file may name modules and their functions; none is imported, none is called."""
    (tmp_path / "intruder.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)

    def quantizer(layers):
        (dense,) = (layer for layer in layers if layer["class_name"] == "QDense")
        dense["config"]["kernel_quantizer"] |= {"module": "intruder", "registered_name": "Evil"}

    def layer(layers):
        layers[1]["module"] = "intruder"

    quantized = quantize(files[1], {"default": LayerBits(weights=6, activations=6)})
    with quiet():
        quantized.save(tmp_path / "q.h5")
    x = files[2][:9]
    for original, file, change in (
        (files[1], files[0] / "m.h5", layer),
        (quantized, tmp_path / "q.h5", quantizer),
    ):
        same = load_model(spoiled(file, tmp_path / "spoiled.h5", change))
        np.testing.assert_array_equal(same.predict(x, verbose=0), original.predict(x, verbose=0))
    assert "intruder" not in sys.modules


def test_activations_that_are_strings_are_read(keras, tmp_path):
    import qkeras

    inputs = keras.Input((3,), name="in")
    x = qkeras.QDense(
        4, kernel_quantizer="quantized_bits(4, 0, 1)", bias_quantizer="quantized_bits(4)", name="a"
    )(inputs)
    model = spread(keras.Model(inputs, qkeras.QActivation("quantized_relu(4, 1)", name="b")(x)))
    with quiet():
        model.save(tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5")
    x = on_grid((20, 3))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    again = quantize(loaded, {"default": LayerBits(weights=4, activations=4)})
    assert str(again.get_layer("b").quantizer) == "quantized_relu(4,1)"


def test_models_of_keras_3_are_read(keras, tmp_path):
    import keras as keras3

    layers = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input((6, 6, 2)),
            layers.DepthwiseConv2D(3, name="a"),
            layers.BatchNormalization(name="b"),
            layers.Dropout(0.5),
            layers.Conv2D(3, 2, activation="relu", name="c"),
            layers.Flatten(),
            layers.Dense(2, name="d"),
        ]
    )
    model.save(tmp_path / "three.keras")
    loaded = load_model(tmp_path / "three.keras")
    assert loaded.get_layer("dropout").rate == 0.5
    x = on_grid((20, 6, 6, 2))
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
