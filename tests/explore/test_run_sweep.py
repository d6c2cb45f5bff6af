"""`run_sweep`: configurations of a sweep, with hardware that is made up."""

import json
from pathlib import Path

import pytest

from explore import made_up
from explore.test_explore_run import Threads
from gatewright.errors import DataError, DesignFailure, InputError, MissingToolError
from gatewright.explore import hardware, trial
from gatewright.explore import runs as run
from gatewright.explore.hardware import HardwareFlow, Physical
from gatewright.explore.outcome import Limits
from gatewright.explore.trial import Task
from gatewright.report.report_files import load_reports, write_report
from gatewright.report.schema import Baseline, Resources

SWEEP = (
    made_up.SWEEP.partition("search:")[0]
    + """configs:
  - {name: wide, bits: 8}
  - {name: narrow, bits: 4}
  - {name: fives, bits: 5}
"""
)
BASELINE = Baseline(runtime="made up", model="float32", latency_us=2.0, batch=1)


def run_config(sweep, config, folder, store, force, physical):
    if config.name == "fives":
        raise DesignFailure("it does not like fives")
    task = Task(sweep, config, (), Limits(), store)
    return made_up.finish_trial(task, folder / config.name)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "run_config", run_config)
    monkeypatch.setattr(run, "default_store", lambda: tmp_path / "store")
    monkeypatch.setattr(run, "software_baselines", lambda sweep, config, _: (
        BASELINE.model_copy(update={"source": config.name}),
    ))  # fmt: skip


def sweep(tmp_path, names=(), lines=None, **options):
    model = tmp_path / "toy"
    if not model.exists():
        made_up.model(model, SWEEP)
    lines = [] if lines is None else lines
    found = run.run_sweep(
        model, names, tmp_path / "build", make_engine=Threads, say=lines.append, **options
    )
    return found, lines


def test_what_is_written(tmp_path):
    found, lines = sweep(tmp_path, publish=tmp_path / "published")
    assert [report.config.name for report in found.reports.reports] == ["wide", "narrow"]
    assert found.failures == ("it does not like fives",)
    assert any("toy fives: failed: it does not like fives" in line for line in lines)
    assert [one.source for one in found.reports.baselines] == ["wide"]
    folder = tmp_path / "build" / "toy"
    assert found.page == folder / "report" / "index.html"
    assert load_reports([folder / "report"]) == found.reports
    assert load_reports([folder]).baselines == found.reports.baselines
    published = json.loads((tmp_path / "published" / "report.json").read_text())
    assert all("seconds" not in one["provenance"] for one in published["reports"])
    assert "made up" in (tmp_path / "published" / "README.md").read_text()


def test_without_baselines(tmp_path):
    found, _ = sweep(tmp_path, ["narrow"], baselines=False)
    assert [report.config.name for report in found.reports.reports] == ["narrow"]
    assert found.reports.baselines == ()


def test_another_target_at_its_own_clock_or_at_one_that_is_given(tmp_path, monkeypatch):
    seen = {}

    def run_config_of(sweep, config, folder, store, force, physical):
        seen[config.name] = (config.options.target, config.options.clock_ns, physical)
        return run_config(sweep, config, folder, store, force, physical)

    monkeypatch.setattr(run, "run_config", run_config_of)
    monkeypatch.setattr("gatewright.explore.hardware.find_router", lambda target: None)
    sweep(tmp_path, ["wide", "narrow"], target="ecp5-85k", physical=Physical(rounds=2))
    assert seen == dict.fromkeys(("wide", "narrow"), ("ecp5-85k", None, Physical(rounds=2)))
    sweep(tmp_path, ["wide"], target="ecp5-85k", clock_ns=12.5)
    assert seen["wide"] == ("ecp5-85k", 12.5, Physical())
    sweep(tmp_path, ["wide"], clock_ns=12.5)
    assert seen["wide"] == ("xcup", 12.5, Physical())


@pytest.mark.parametrize(
    ("physical", "target", "message"),
    [
        (Physical(rounds=1), "xcup", "is not a device that can be routed"),
        (Physical(power=True), "ecp5-85k", "is a device, not a library of cells"),
        (Physical(), "nonesuch", "nonesuch"),
    ],
)
def test_what_a_target_cannot_have_is_refused_before_anything_is_trained(
    tmp_path, physical, target, message
):
    with pytest.raises(InputError, match=message):
        sweep(tmp_path, target=target, physical=physical)
    assert not (tmp_path / "build").exists()


def test_placement_comes_before_the_verification_of_what_it_may_cut_again(monkeypatch):
    steps = []
    flow = HardwareFlow(None, None, None, Path("project"), steps.append)
    for name in ("convert", "size_fifos", "verify", "summarize", "synthesize", "close_timing"):
        monkeypatch.setattr(hardware, name, lambda *_, name=name, **__: steps.append(name))
    for name in ("convert", "verify", "report"):
        monkeypatch.setattr(HardwareFlow, name, lambda _, name=name: steps.append(name))
    trial._whole(flow, ("ecp5-85k",), Physical(rounds=2))
    assert [name for name in steps if " " not in name and name != "FIFOs"] == [
        "convert", "size_fifos", "close_timing", "verify", "synthesize", "report"
    ]  # fmt: skip


def test_timing_of_standard_cells_is_reported_as_missing_but_power_needs_it(monkeypatch):
    def no_sta(*_, **__):
        raise MissingToolError("OpenSTA is not installed")

    monkeypatch.setattr("gatewright.flow.silicon.analyze_timing", no_sta)
    said = []
    flow = HardwareFlow(None, None, None, Path("project"), said.append)
    flow.analyze("ecp5-85k", power=False)
    assert said == []
    flow.analyze("osu018", power=False)
    assert said[-1] == "no timing: OpenSTA is not installed"
    with pytest.raises(MissingToolError):
        flow.analyze("osu018", power=True)


def test_the_line_of_a_configuration_tells_luts_or_gates(tmp_path):
    found, lines = sweep(tmp_path, ["wide"])
    assert " LUT on xcup" in lines[0]
    cells = Resources(nand2=15_730.4)
    report = found.reports.reports[0].model_copy(update={"resources": {"osu018": cells}})
    assert run._headline(report).endswith("15,730 NAND2 on osu018")


def test_none_comes_through(tmp_path):
    with pytest.raises(DesignFailure, match="fives"):
        sweep(tmp_path, ["fives"])
    assert not (tmp_path / "build" / "toy" / "report").exists()


def test_no_data_in_a_line(tmp_path, monkeypatch):
    def no_data(sweep, config, folder, store, force, physical):
        raise DataError(f"{sweep.name}: no network")

    monkeypatch.setattr(run, "run_config", no_data)
    lines = []
    with pytest.raises(DataError, match="toy: no network"):
        sweep(tmp_path, lines=lines)
    assert lines == []


def test_baselines_of_other_configurations_do_not_count(tmp_path):
    found, _ = sweep(tmp_path)
    folder = tmp_path / "build" / "toy"
    other = found.reports.reports[0]
    config = other.config.model_copy(update={"name": "elsewhere"})
    (folder / "wide" / "report.json").unlink()
    write_report(other.model_copy(update={"config": config}), folder / "wide")
    assert load_reports([folder]).baselines == ()
