"""Timing closure and the highest clock, with a router that answers as it is told to."""

import json
from pathlib import Path

import pytest

from flow.small_model import write_model
from gatewright.cli import main
from gatewright.errors import InputError
from gatewright.flow.closure import close_timing
from gatewright.flow.convert import convert, load_request, load_rtl
from gatewright.flow.fmax import find_fmax
from gatewright.flow.steps import read_stamp
from gatewright.options import ConvertOptions
from gatewright.place.nextpnr import find_nextpnr
from gatewright.results.utilization import Resources


def mapped(project, target, directory, pads):
    """Stands in for Yosys, which `test_place` runs."""
    (directory / "netlist.json").write_text("{}")
    cells = {"modules": {"\\gw_harness": {"num_cells_by_type": {"LUT4": 1}}}}
    (directory / "cells.json").write_text(json.dumps(cells))
    return directory / "netlist.json", Resources(lut=1, ff=1, dsp=0, bram=0.0)


@pytest.fixture
def router(tmp_path, monkeypatch):
    """Makes a program that stands in for nextpnr-ecp5; mapping takes no time."""
    monkeypatch.setattr("gatewright.place.placement._mapped", mapped)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "place"))
    import nextpnr

    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    find_nextpnr.cache_clear()
    yield lambda fmax: nextpnr.install(folder, fmax=fmax)
    find_nextpnr.cache_clear()


@pytest.fixture
def for_ecp5(tmp_path):
    """A project that is cut for 5 ns on ECP5, 200 MHz."""
    model, weights = write_model(tmp_path)
    options = ConvertOptions(
        input_precision="fixed<6,2>", precision="fixed<8,3>", target="ecp5-25k", clock_ns=5.0
    )
    convert(model, weights, options, tmp_path / "project")
    return tmp_path / "project"


def test_a_clock_that_is_missed_has_the_pipeline_cut_again(for_ecp5, router):
    before = load_rtl(for_ecp5)
    router("160 if runs < 2 else 250")  # two placers a round
    said = []
    stamp = close_timing(for_ecp5, "ecp5-25k", rounds=5, notice=said.append)
    found, after = stamp.results.routed, load_rtl(for_ecp5)
    assert found.fmax_mhz == 250
    assert found.derate == pytest.approx(6.25 / before.predicted_ns, abs=1e-3)
    assert load_request(for_ecp5).options.derate == found.derate > 1
    assert after.clock_ns == before.clock_ns
    assert after.latency > before.latency
    assert after.predicted_ns <= after.clock_ns
    assert found.predicted_ns == after.predicted_ns
    (line,) = said
    assert "round 1 of 5: 160.0 MHz, 1.25 ns short; cut again" in line
    assert not close_timing(for_ecp5, "ecp5-25k", rounds=5).fresh
    assert read_stamp(for_ecp5, "convert").results.latency == after.latency


def test_rounds_end_where_they_are_told_to(for_ecp5, router):
    router("160")
    stamp = close_timing(for_ecp5, "ecp5-25k", rounds=1)
    assert stamp.results.routed.slack_ns == -1.25
    assert load_request(for_ecp5).options.derate == 1


@pytest.mark.parametrize(
    ("fmax", "rounds", "reason"), [(100, 2, "a path takes"), (20, 1, "registers alone would take")]
)
def test_a_clock_that_no_cut_meets_ends_them_too(for_ecp5, router, fmax, rounds, reason):
    router(str(fmax))
    said = []
    stamp = close_timing(for_ecp5, "ecp5-25k", rounds=9, notice=said.append)
    assert stamp.results.routed.slack_ns < 0
    assert "MHz; no cut is finer: " in said[-1]
    assert reason in said[-1]
    assert len(said) == rounds


def test_a_project_of_another_family_is_not_cut_again(project, router):
    router("20")
    with pytest.raises(InputError, match="convert it with --target ecp5-25k"):
        close_timing(project, "ecp5-25k", rounds=2)
    with pytest.raises(InputError, match="convert it with --target ecp5-25k"):
        find_fmax(project, "ecp5-25k", rounds=2)


def test_the_highest_clock_is_sought_until_nothing_is_gained(for_ecp5, router, capsys):
    files = {path: path.read_bytes() for path in (for_ecp5 / "rtl").iterdir()}
    router("(180, 210, 211, 500)[runs // 2]")
    with pytest.raises(SystemExit) as ended:
        main(["fmax", str(for_ecp5), "--target", "ecp5-25k", "--json"])
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)["rounds"]
    assert [each["routed"]["runs"][0]["fmax_mhz"] for each in found] == [180, 210, 211]
    assert [each["routed"]["clock_ns"] for each in found][:2] == [5.0, 4.722]
    stamp = find_fmax(for_ecp5, "ecp5-25k", rounds=4)
    assert not stamp.fresh
    assert stamp.results.fastest.routed.fmax_mhz == 211
    fastest = stamp.results.fastest
    assert fastest.latency_ns == pytest.approx(fastest.latency * 1000 / 211)
    assert files == {path: path.read_bytes() for path in (for_ecp5 / "rtl").iterdir()}


def test_a_file_that_is_no_project_is_taken_for_a_model(tmp_path, router, capsys):
    model, _ = write_model(tmp_path)
    router("150")
    with pytest.raises(SystemExit) as ended:
        main(["fmax", str(model), "--target", "ecp5-25k"])
    assert ended.value.code == 2  # an architecture alone has no weights
    assert "weights" in capsys.readouterr().err
