"""Placing a project directory: the step, its stamp, its command, its figures."""

import json
from dataclasses import replace

import pytest

from gatewright.cli import main
from gatewright.errors import DesignFailure, InputError, UnsupportedError
from gatewright.flow.convert import load_rtl
from gatewright.flow.place import place
from gatewright.flow.summary import summarize
from gatewright.place.nextpnr import find_nextpnr
from gatewright.place.placement import place as place_project
from gatewright.targets import load_target


@pytest.fixture
def mocked(tmp_path, monkeypatch):
    """Path of a program that stands in for nextpnr-ecp5."""
    import sys
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "place"))
    import nextpnr

    assert sys.modules["nextpnr"] is nextpnr
    folder = tmp_path / "bin"
    folder.mkdir()
    nextpnr.install(folder, "assert seed < 3, 'ERROR: seed'")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    find_nextpnr.cache_clear()
    yield nextpnr
    find_nextpnr.cache_clear()


def test_a_project_is_placed_once_and_reported(project, mocked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["synth", str(project), "--target", "ecp5-25k", "--pnr", "--seeds", "2"])
    assert not ended.value.code
    said = capsys.readouterr().err
    assert "Clock on ecp5-25k: 123.4 MHz" in said
    stamp = place(project, "ecp5-25k", seeds=2)
    assert not stamp.fresh
    found = stamp.results.routed
    assert [run.seed for run in found.runs] == [1, 2]
    assert found.device == "LFE5U-25F-6CABGA381"
    assert found.harness.ff is not None
    assert found.ff == max(0, 80 - found.harness.ff)
    assert found.bram == 0.5
    assert found.predicted_ns is None  # it was cut for another family
    assert (found.critical_path[0].layer, found.critical_path[-1].layer) == ("ports", "fc1")
    report = summarize(project)
    assert report.routed == {"ecp5-25k": found}
    assert report.provenance.groups["routed.ecp5-25k"].method == "placed-and-routed"
    (project / "place" / "ecp5-25k" / "seed-1-static.json").unlink()
    assert place(project, "ecp5-25k", seeds=2).fresh


@pytest.mark.parametrize(
    ("clock", "fmax", "used", "placer", "best", "runs"),
    [
        (8.5, "100 + 20 * runs", 60, "heap", 120.0, 2),
        (8.5, "100 - 20 * runs", 60, "static", 100.0, 2),
        (10, "100 + 20 * runs", 60, "static", 100.0, 1),
        (8.5, "100 + 20 * runs", 20_000, "static", 100.0, 1),
    ],
)
def test_another_placer_is_tried_where_the_clock_is_missed(
    project, mocked, tmp_path, clock, fmax, used, placer, best, runs
):
    """Unless the device is so full that its router may not end behind that one."""
    answer = mocked.report()
    answer["utilization"]["TRELLIS_COMB"]["used"] = used
    mocked.install(tmp_path / "bin", answer=answer, fmax=fmax)
    rtl = replace(load_rtl(project), clock_ns=clock)
    folder = tmp_path / "work"
    folder.mkdir()
    (run,) = place_project(rtl, load_target("ecp5-25k"), folder).routed.runs
    assert (run.placer, run.fmax_mhz) == (placer, best)
    assert (tmp_path / "bin" / "calls").read_text() == "x" * runs


def test_a_device_that_is_too_small_is_refused_before_its_router_runs(project, mocked, tmp_path):
    target = load_target("ecp5-25k")
    parts = {name: replace(part, lut=part.lut // 10_000) for name, part in target.parts.items()}
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(DesignFailure, match=r"needs \d+ % of the LUTs of LFE5U-25F; "):
        place_project(load_rtl(project), replace(target, parts=parts), folder)
    assert not (tmp_path / "bin" / "calls").exists()


def test_a_failure_is_a_line_and_leaves_its_log(project, mocked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["synth", str(project), "--target", "ecp5-25k", "--pnr", "--seeds", "3"])
    assert ended.value.code == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "failed" in each]
    assert f"log: {project}/place/ecp5-25k/seed-3-static.log" in line
    assert not (project / "steps" / "place-ecp5-25k.json").exists()


def test_figures_of_json_are_beside_those_of_synthesis(project, mocked, capsys):
    with pytest.raises(SystemExit):
        main(["synth", str(project), "--target", "ecp5-25k", "--pnr", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["lut"]
    assert found["place"]["routed"]["runs"][0]["fmax_mhz"] == 123.4


@pytest.mark.parametrize(
    ("target", "kind", "reason"),
    [
        ("ecp5", InputError, "name one of its devices: ecp5-12k, "),
        ("xcup", InputError, "is not a device that can be routed"),
    ],
)
def test_what_can_not_be_placed_is_refused_before_anything_runs(project, target, kind, reason):
    with pytest.raises(kind, match=reason):
        place(project, target)


def test_a_family_without_an_open_router_is_refused():
    from gatewright.synth.family import family_type
    from gatewright.synth.xilinx.family import Xilinx

    assert family_type("xilinx") is Xilinx
    xilinx = object.__new__(Xilinx)
    with pytest.raises(UnsupportedError, match="xcku5p: no open router"):
        xilinx.router("xcku5p")


def test_seeds_are_of_the_placer(project, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["synth", str(project), "--target", "ecp5-25k", "--seeds", "2"])
    assert ended.value.code == 2
    assert "--seeds is for placement; add --pnr" in capsys.readouterr().err
