"""Every way that ten years of Keras wrote a model: generated, read, held against the model itself.

What a version wrote otherwise is done to a file of the present one; a change of a reader runs them
all.
"""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.frontend.passes import supported
from live_models import predicted, samples, shaken

#: Keys that versions have added, with what they mean where a file lacks them.
LATER = (
    "keepdims",
    "groups",
    "dtype",
    "ragged",
    "sparse",
    "optional",
    "synchronized",
    "build_config",
)


@pytest.fixture(scope="module")
def model(keras):
    layers = keras.layers
    return shaken(
        keras.Sequential(
            [
                keras.Input((8, 3)),
                layers.Conv1D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.Conv1D(4, 1),
                layers.Activation("relu"),
                layers.GlobalAveragePooling1D(),
                layers.Dropout(0.5),
                layers.Dense(3),
                layers.Dense(2),
            ]
        )
    )


def without(node, keys):
    """An architecture without some keys, wherever they are."""
    if isinstance(node, list):
        return [without(each, keys) for each in node]
    if isinstance(node, dict):
        return {key: without(each, keys) for key, each in node.items() if key not in keys}
    return node


def without_input_layer(architecture):
    first, second, *rest = architecture["config"]["layers"]
    second["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
    architecture["config"]["layers"] = [second, *rest]
    return architecture


def as_list(architecture):
    """Before 2.2.3 a Sequential model's configuration was the list of its layers."""
    return {**architecture, "config": without_input_layer(architecture)["config"]["layers"]}


def registered(architecture):
    for layer in architecture["config"]["layers"]:
        if layer["class_name"] == "Dense":
            layer["class_name"] = "Custom>Dense"
    return architecture


def without_modules(architecture):
    """Versions before 2.13 write words where later ones write objects."""
    return without(architecture, ("module", "registered_name", "build_config"))


ARCHITECTURES = {
    "as it is": lambda architecture: architecture,
    "without an input layer": without_input_layer,
    "as a list": as_list,
    "without later keys": lambda architecture: without(architecture, LATER),
    "without modules": without_modules,
    "with registered classes": registered,
    "of all former versions at once": lambda a: as_list(registered(without(a, LATER))),
}


def check(model, *files):
    network = load(*files)
    expected = model.predict(samples(8, 3), verbose=0)
    np.testing.assert_allclose(predicted(network, samples(8, 3))[0], expected, rtol=1e-5, atol=1e-6)
    supported(network)


@pytest.mark.parametrize("written", ARCHITECTURES)
@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".keras", ".json"])
def test_architectures_of_hdf5_and_json(model, tmp_path, written, suffix):
    """`.keras` is HDF5 in versions before 2.12."""
    whole = tmp_path / "whole.h5"
    model.save(whole)
    with h5py.File(whole, "r+") as file:
        text = json.dumps(ARCHITECTURES[written](json.loads(file.attrs["model_config"])))
        # Versions before 2.4 write bytes.
        file.attrs["model_config"] = np.bytes_(text.encode())
        file.attrs["keras_version"] = np.bytes_(b"2.1.5")
    if suffix == ".json":
        (tmp_path / "m.json").write_text(text)
        with h5py.File(whole) as file, h5py.File(tmp_path / "w.h5", "w") as weights:
            for name in file["model_weights"]:
                file.copy(f"model_weights/{name}", weights)
        check(model, tmp_path / "m.json", tmp_path / "w.h5")
        check(model, tmp_path / "m.json", whole)  # weights of a whole model
        return
    whole.rename(tmp_path / f"m{suffix}")
    check(model, tmp_path / f"m{suffix}")


def as_in_213(file):
    """Counts a layer with weights twice, under another name."""
    groups = file["layers"]
    kinds = {name.rpartition("_")[0] if name[-1].isdigit() else name for name in groups}
    for kind in sorted(kinds):
        names = sorted(
            name for name in groups if name == kind or name[: len(kind) + 1] == f"{kind}_"
        )
        names = [name for name in names if name == kind or name[len(kind) + 1 :].isdigit()]
        for number, name in reversed(list(enumerate(names))):
            if number:
                groups.move(name, f"{kind}_{2 * number}")
    file.move("layers", "_layer_checkpoint_dependencies")


def as_on_windows(file):
    for name in list(file["layers"]):
        file.move(f"layers/{name}", f"layers\\{name}")
    del file["layers"]


def as_nobody_writes(file):
    """An array in place of a group of arrays, of a layer that has none."""
    assert "relu" not in file["layers"]
    file["layers/relu/vars"] = np.arange(3)


ARCHIVES = {
    "as it is": lambda file: None,
    "2.13": as_in_213,
    "Windows": as_on_windows,
    "damaged": as_nobody_writes,
}


@pytest.mark.parametrize("written", ARCHIVES)
@pytest.mark.parametrize("form", [".keras", ".weights.h5"])
def test_archives(model, tmp_path, written, form):
    model.save(tmp_path / "now.keras")
    with zipfile.ZipFile(tmp_path / "now.keras") as now:
        members = {name: now.read(name) for name in now.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        ARCHIVES[written](file)
    members["model.weights.h5"] = content.getvalue()
    if form == ".keras":
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as old:
            for name, each in members.items():
                old.writestr(name, each)
        check(model, tmp_path / "m.keras")
        return
    (tmp_path / "m.json").write_bytes(members["config.json"])
    (tmp_path / "m.weights.h5").write_bytes(members["model.weights.h5"])
    check(model, tmp_path / "m.json", tmp_path / "m.weights.h5")
