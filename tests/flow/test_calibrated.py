"""Calibration samples are part of what a conversion goes by."""

import numpy as np
import pytest

from gatewright import frontend
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.flow.convert import convert, load_design, load_request
from gatewright.frontend.calibration import Calibration
from gatewright.options import ConvertOptions


@pytest.fixture
def model(converted):
    """Paths of an architecture and its weights."""
    return converted / "net.json", converted / "net_weights.h5"


@pytest.fixture
def measured(monkeypatch):
    """How often a model was measured; its framework is not asked here."""
    calls = []

    def calibrate(network, path, progress=None):
        calls.append(path)
        top = float(np.load(path).max())
        return Calibration(str(path), (FixedType(8, 8, False),), {"x": (0.0, top)}, {})

    monkeypatch.setattr(frontend, "calibrate", calibrate)
    return calls


def test_other_samples_convert_again(measured, model, tmp_path):
    data, project = tmp_path / "samples.npy", tmp_path / "out"
    options = ConvertOptions(data=str(data))
    np.save(data, np.full((3, 3), 200, np.uint8))
    first = convert(*model, options, project)
    assert str(load_design(project).inputs[0].type) == "ufixed<8,8>"
    assert load_request(project).options.data == str(data)
    assert first.results.notes == ()
    assert convert(*model, options, project).seconds == first.seconds
    assert len(measured) == 1
    np.save(data, np.full((3, 3), 250, np.uint8))
    convert(*model, options, project)
    assert len(measured) == 2


def test_samples_that_are_not_there(model, tmp_path):
    options = ConvertOptions(data=str(tmp_path / "none.npy"))
    with pytest.raises(InputError, match=r"none.npy: no such file"):
        convert(*model, options, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_assumed_stands_in_the_results(model, tmp_path):
    stamp = convert(*model, ConvertOptions(), tmp_path / "out")
    assert any("its range is not known" in note for note in stamp.results.notes)
