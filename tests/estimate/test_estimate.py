"""Estimates against what synthesis found, and what is refused."""

import json
import shutil
import statistics
from dataclasses import asdict

import pytest
import yaml
from benchmarks.estimate import observations
from benchmarks.estimate.fit import EXACT, PRIOR, fitted, held_out, stated_errors
from benchmarks.estimate.observations import load

from flow.stream_designs import residual, save
from gatewright import cli
from gatewright.errors import InputError, UnsupportedError
from gatewright.estimate.cost_model import COUNTED, load_cost_model, read_cost_model
from gatewright.flow.convert import load_rtl
from gatewright.flow.estimate import estimate_project
from gatewright.flow.results import SynthResults
from gatewright.flow.steps import Stamp, write_stamp
from gatewright.flow.synthesize import synthesized_content
from gatewright.results.utilization import Resources
from gatewright.targets import load_target

FAMILIES = ("xcup", "ecp5")
OBSERVATIONS = {name: load(name) for name in FAMILIES}
MODELS = {name: load_cost_model(load_target(name)) for name in FAMILIES}


@pytest.mark.parametrize(
    ("family", "figure", "median", "greatest"),
    [
        ("xcup", "lut", 0.05, 0.2),
        ("xcup", "ff", 0.03, 0.15),
        ("xcup", "dsp", 0.0, 0.03),
        ("ecp5", "lut", 0.03, 0.15),
        ("ecp5", "ff", 0.03, 0.1),
        ("ecp5", "dsp", 0.0, 0.03),
    ],
)
def test_models_left_out_are_estimated_well(family, figure, median, greatest):
    errors = [abs(error) for error in held_out(OBSERVATIONS[family], family, figure).values()]
    assert len(errors) >= 30
    assert statistics.median(errors) <= median
    assert max(errors) <= greatest


@pytest.mark.parametrize("family", FAMILIES)
def test_coefficients_are_those_of_the_observations(family):
    model, observed = MODELS[family], OBSERVATIONS[family]
    assert model.lut == pytest.approx(fitted(observed, family), abs=2e-3)
    assert set(model.calibrated_on) == {each.model for each in observed}


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_are_those_of_models_left_out(family):
    assert MODELS[family].errors == stated_errors(OBSERVATIONS[family], family)
    assert set(MODELS[family].errors) == {"lut", "ff", "dsp"}  # few have block RAM


@pytest.mark.parametrize("family", FAMILIES)
def test_every_quantity_has_its_cost(family):
    known = {*PRIOR[family], *EXACT, *(name for costs in COUNTED.values() for name in costs)}
    assert {name for each in OBSERVATIONS[family] for name in each.counts} <= known


def synthesized(directory, lut):
    """A project with a synthesis that found so many LUTs per module, and three between them."""
    project = load_rtl(save(residual(9), directory))
    layers = [module.name for module in project.modules if module.layers]
    each = Resources(lut=lut, ff=2, dsp=0, bram=0.0)
    total = Resources(lut=lut * len(layers) + 3, ff=2 * len(layers), dsp=0, bram=0.0)
    results = SynthResults(
        total=total,
        modules=dict.fromkeys(layers, each),
        tool="made up",
        version="0",
        details="",
        changed=(),
    )
    subject = synthesized_content(project)
    write_stamp(directory, Stamp("synth-xcup", "key", results, 1.0, subject=subject))
    return layers


def test_observations_of_a_model_are_replaced_by_its_synthesized_projects(tmp_path, monkeypatch):
    monkeypatch.setattr(observations, "HERE", tmp_path)
    old = [observations.Observation(model, "old", "", {"ff": 1}, {}) for model in ("toy", "other")]
    (tmp_path / "xcup.json").write_text(json.dumps([asdict(one) for one in old]))
    layers = synthesized(tmp_path / "build" / "toy" / "explore" / "trial3", 40)
    stale = tmp_path / "build" / "toy" / "stale"
    synthesized(stale, 50)
    shutil.rmtree(stale / "rtl")
    shutil.copytree(save(residual(18), tmp_path / "slower") / "rtl", stale / "rtl")
    assert observations.update("xcup", [tmp_path / "build"]) == "xcup"
    other, *found = load("xcup")
    assert other == old[1]
    assert {one.config for one in found} == {"explore/trial3"}
    assert [one.measured["lut"] for one in found] == [3, *[40] * len(layers)]
    assert all(one.counts for one in found)


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
    refused = r"'nexus': there is no cost model .* only for ecp5, xcup"
    with pytest.raises(UnsupportedError, match=refused):
        estimate_project(tmp_path / "p", "nexus")


def test_a_part_has_the_cost_model_of_its_family(tmp_path):
    save(residual(9), tmp_path / "p")
    assert estimate_project(tmp_path / "p", "xczu3eg").target == "xczu3eg"
    other = estimate_project(tmp_path / "p", "ecp5-85k")
    assert other.errors == MODELS["ecp5"].errors
    assert other.total.lut > estimate_project(tmp_path / "p").total.lut


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
    assert found["by_rules"] == ["ff", "dsp", "bram"]
    assert found["errors"] == MODELS["xcup"].errors
    with pytest.raises(SystemExit) as ended:
        cli.main(["estimate", "p", "--target", "ecp5-85k"])
    assert not ended.value.code
    said = " ".join(capsys.readouterr().err.split())
    error = MODELS["ecp5"].errors["lut"]
    assert "FF, DSP, BRAM follow from rules, LUT from coefficients; greatest errors on" in said
    assert f"LUT {error:.1%}" in said
    with pytest.raises(SystemExit) as ended:
        cli.main(["estimate", "p", "--reuse", "4"])
    assert ended.value.code == 2
    assert "is converted; only --target and --clock" in capsys.readouterr().err
