"""One small converted project, shared by the tests of a session; each takes a copy."""

import shutil

import pytest

from flow.small_model import write_model


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
