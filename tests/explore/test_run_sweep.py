"""`run_sweep`: configurations of a sweep, with hardware that is made up."""

import json

import pytest

from explore import made_up
from explore.test_explore_run import Threads
from gatewright.errors import DataError, DesignFailure
from gatewright.explore import runs as run
from gatewright.explore.outcome import Limits
from gatewright.explore.trial import Task
from gatewright.report.report_files import load_reports, write_report
from gatewright.report.schema import Baseline

SWEEP = (
    made_up.SWEEP.partition("search:")[0]
    + """configs:
  - {name: wide, bits: 8}
  - {name: narrow, bits: 4}
  - {name: fives, bits: 5}
"""
)
BASELINE = Baseline(runtime="made up", model="float32", latency_us=2.0, batch=1)


def run_config(sweep, config, folder, store, force):
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


def test_none_comes_through(tmp_path):
    with pytest.raises(DesignFailure, match="fives"):
        sweep(tmp_path, ["fives"])
    assert not (tmp_path / "build" / "toy" / "report").exists()


def test_no_data_in_a_line(tmp_path, monkeypatch):
    def no_data(sweep, config, folder, store, force):
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
