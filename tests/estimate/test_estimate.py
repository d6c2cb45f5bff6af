"""Estimates against what synthesis found, and what is refused."""

import json
import statistics

import pytest
import yaml
from benchmarks.estimate.fit import EXACT, PRIOR, fitted, held_out, stated_errors
from benchmarks.estimate.observations import load

from flow.stream_designs import residual, save
from gatewright import cli
from gatewright.errors import InputError, UnsupportedError
from gatewright.estimate.cost_model import COUNTED, load_cost_model, read_cost_model
from gatewright.flow.convert import load_rtl
from gatewright.flow.estimate import estimate_project
from gatewright.targets import load_target

OBSERVATIONS = load("xcup")
MODEL = load_cost_model(load_target("xcup"))


@pytest.mark.parametrize(
    ("figure", "median", "greatest"), [("lut", 0.05, 0.2), ("ff", 0.03, 0.15), ("dsp", 0.0, 0.03)]
)
def test_models_left_out_are_estimated_well(figure, median, greatest):
    errors = [abs(error) for error in held_out(OBSERVATIONS, figure).values()]
    assert len(errors) >= 30
    assert statistics.median(errors) <= median
    assert max(errors) <= greatest


def test_coefficients_are_those_of_the_observations():
    assert MODEL.lut == pytest.approx(fitted(OBSERVATIONS), abs=2e-3)
    assert set(MODEL.calibrated_on) == {each.model for each in OBSERVATIONS}


def test_errors_are_those_of_models_left_out():
    assert MODEL.errors == stated_errors(OBSERVATIONS)
    assert set(MODEL.errors) == {"lut", "ff", "dsp"}  # few observations have block RAM


def test_every_quantity_has_its_cost():
    known = {*PRIOR, *EXACT, *(name for costs in COUNTED.values() for name in costs)}
    assert {name for each in OBSERVATIONS for name in each.counts} <= known


def test_a_project_is_estimated_as_it_was_built(tmp_path):
    project = load_rtl(save(residual(9), tmp_path / "p"))
    found = estimate_project(tmp_path / "p")
    assert (found.latency, found.interval) == (project.latency, project.interval)
    assert [layer.layers for layer in found.layers] == [("stem",), ("long",), ("total",)]
    assert found.total.lut == found.between.lut + sum(e.resources.lut for e in found.layers)
    faster = estimate_project(tmp_path / "p", clock_ns=2.0)
    assert faster.path_ns < found.path_ns
    assert faster.total.ff > found.total.ff


def test_devices_without_a_cost_model_are_refused(tmp_path):
    save(residual(9), tmp_path / "p")
    with pytest.raises(UnsupportedError, match=r"'ecp5': there is no cost model .* only for xcup"):
        estimate_project(tmp_path / "p", "ecp5")


def test_a_part_has_the_cost_model_of_its_family(tmp_path):
    save(residual(9), tmp_path / "p")
    assert estimate_project(tmp_path / "p", "xczu3eg").target == "xczu3eg"


def test_a_damaged_cost_model_is_told_of(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump({"description": "", "calibrated_on": [], "rules": {}}))
    with pytest.raises(InputError, match=r"m\.yaml: not a cost model: rules"):
        read_cost_model(path)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(residual(9), tmp_path / "p")
    with pytest.raises(SystemExit) as ended:
        cli.main(["estimate", "p", "--json"])
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)
    assert found["origin"] == "estimated"
    assert found["total"]["dsp"] == sum(layer["dsp"] for layer in found["layers"]) > 0
    with pytest.raises(SystemExit) as ended:
        cli.main(["estimate", "p", "--reuse", "4"])
    assert ended.value.code == 2
    assert "is converted; only --target and --clock" in capsys.readouterr().err
