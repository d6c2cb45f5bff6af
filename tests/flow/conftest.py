"""One small converted project, shared by the tests of a session; each takes a copy."""

import json
import shutil

import h5py
import numpy as np
import pytest


def write_model(directory):
    """A 3-2-2 network of plain Dense layers; returns the paths of architecture and weights."""
    layers, weights = [], {}
    rng = np.random.default_rng(3)
    shape = [3, 2, 2]
    first = {"name": "x", "batch_input_shape": [None, shape[0]], "dtype": "float32"}
    layers.append({"class_name": "InputLayer", "config": first})
    for name, rows, units, activation in (("fc1", 3, 2, "relu"), ("fc2", 2, 2, "linear")):
        config = {"name": name, "units": units, "activation": activation, "use_bias": True}
        layers.append({"class_name": "Dense", "config": config})
        kernel = rng.choice([-5, -3, 3, 5, 7], (rows, units)) / 8
        weights[name] = {"kernel:0": kernel, "bias:0": np.arange(1, units + 1) / 8}
    model, stored = directory / "net.json", directory / "net_weights.h5"
    architecture = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    model.write_text(json.dumps(architecture))
    with h5py.File(stored, "w") as file:
        for name, arrays in weights.items():
            group = file.create_group(f"{name}/{name}")
            for key, array in arrays.items():
                group[key] = array.astype(np.float32)
    return model, stored


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """Folder with the model's files and its converted project in `project`."""
    from gatewright.emulation import Emulation
    from gatewright.flow.convert import convert
    from gatewright.options import ConvertOptions

    folder = tmp_path_factory.mktemp("flow")
    model, weights = write_model(folder)
    options = ConvertOptions(input_precision="fixed<6,2>", precision="fixed<8,3>")
    convert(model, weights, options, folder / "project")
    Emulation(folder / "project" / "hls").compile()
    return folder


@pytest.fixture
def project(converted, tmp_path):
    """A copy of the converted project, to spoil."""
    return shutil.copytree(converted / "project", tmp_path / "project")


@pytest.fixture(scope="session")
def builds(converted, tmp_path_factory):
    """Folder with the compiled simulation of the converted project."""
    from gatewright.flow.convert import load_rtl
    from gatewright.simulate import build

    folder = tmp_path_factory.mktemp("builds")
    build(load_rtl(converted / "project"), folder)
    return folder


@pytest.fixture
def simulated(project, builds):
    """A copy of the converted project whose simulation is compiled, too."""
    shutil.copytree(builds, project / "sim", dirs_exist_ok=True)
    return project
