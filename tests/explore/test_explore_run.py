"""Whole searches, of trials that are made up: kills, deaths, full disks, company, repeats."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import yaml

from explore import made_up
from gatewright.errors import DesignFailure, InputError
from gatewright.explore import runs as run
from gatewright.explore.cluster import ClusterEngine
from gatewright.explore.local import LocalEngine
from gatewright.explore.outcome import Outcome, Trial
from gatewright.explore.space import load_search
from gatewright.report.csv import trials_csv
from gatewright.report.report_files import load_reports
from gatewright.report.schema import Baseline
from gatewright.report.search_tables import search_facts
from gatewright.store import Check, Store

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(run, "run_trial", made_up.run_trial)
    monkeypatch.setattr(run, "finish_trial", made_up.finish_trial)


@pytest.fixture
def model(tmp_path):
    return made_up.model(tmp_path / "toy")


class Threads:
    """An engine without the time that processes take to start."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(2)
        self.submit = self.pool.submit

    def close(self):
        self.pool.shutdown(cancel_futures=True)


def search(model, place, engine=Threads, **options):
    place.mkdir(exist_ok=True)
    return run.run_search(
        model,
        place / "build",
        make_engine=engine,
        store=place / "store",
        **({"baselines": False} | options),
    )


def environment():
    """Of processes that run trials that are made up."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(TESTS), *([given] if given else [])])
    return os.environ | {"PYTHONPATH": path}


def processes(jobs=2):
    return lambda: LocalEngine(jobs)


def trials_of(place):
    return json.loads((place / "build" / "toy" / "explore" / run.TRIALS).read_text())


def counted(place):
    return (place / made_up.COUNTED).read_text().split()


def no_engine():
    raise AssertionError("nothing is left to do")


def test_reports_and_trials(model, tmp_path, capsys):
    found = search(model, tmp_path / "a")
    folder = tmp_path / "a" / "build" / "toy" / "explore"
    loaded = load_reports([folder])
    assert loaded == found.reports
    assert [r.config.name for r in loaded.reports] == [
        f"trial{row['number']}" for row in trials_of(tmp_path / "a") if row["front"]
    ]
    rows = trials_of(tmp_path / "a")
    assert {row["state"] for row in rows} == {"done", "stopped", "failed"}
    for trial, row in zip(loaded.search.trials, rows, strict=True):
        assert (trial.number, trial.config) == (row["number"], f"trial{row['number']}")
        assert (trial.state, trial.front) == (row["state"], row["front"])
        assert (trial.reason, trial.error) == (row.get("reason"), row.get("error"))
        assert trial.point == {path: str(bits) for path, bits in row["point"].items()}
        assert trial.figures == row["figures"]
    assert found.page.is_file()
    assert (folder / "README.md").is_file()
    output = capsys.readouterr()
    assert output.out == ""
    assert "[24/24]" in output.err
    assert not list((tmp_path / "a" / "store" / "progress").iterdir())


def test_a_report_has_each_figure_once_and_those_weighed_by_their_names(model):
    figures = {"accuracy_validation": 0.5, "lut": 9.0, "xcup.lut": 9.0, "ff": 4.0, "xcup.ff": 4.0}
    trial = Trial(0, {"bits.a.weights": "po2<4>"}, Outcome(state="done", figures=figures))
    (reported,) = run._summary(load_search(model), [trial]).trials
    assert reported.point == {"bits.a.weights": "po2<4>"}
    del figures["ff"]
    assert reported.figures == figures
    assert reported.front


@pytest.mark.parametrize(
    "value",
    [
        4,
        0.25,
        "po2<4>",
        "0.25",
        None,
        True,
        {"weights": "binary", "activations": 6},
        ["train", {"prune": {"amount": 0.5, "layers": ["a", "b"]}}, {"quantize": {"bits": None}}],
        [{f"layer{i}": {"weights": i}} for i in range(40)],
    ],
)
def test_a_value_in_the_report_is_one_of_a_sweep_file(value):
    text = run._written(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == value


@pytest.mark.full
def test_workers_make_no_difference(model, tmp_path):
    search(model, tmp_path / "one", processes(1))
    search(model, tmp_path / "three", processes(3))
    assert trials_of(tmp_path / "one") == trials_of(tmp_path / "three")


@pytest.mark.full
def test_engines_make_no_difference(model, tmp_path, monkeypatch):
    search(model, tmp_path / "local", processes())
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    search(model, tmp_path / "ray", lambda: ClusterEngine(jobs=2))
    assert trials_of(tmp_path / "local") == trials_of(tmp_path / "ray")


def test_the_front_from_several_seeds(tmp_path):
    model = made_up.model(tmp_path / "toy", made_up.SWEEP + "  seeds: 3\n")
    found = search(model, tmp_path)
    (tmp_path / "once").mkdir()
    once = search(made_up.model(tmp_path / "once" / "toy"), tmp_path / "once")
    assert len(found.reports.reports) == len(once.reports.reports)
    for report, own in zip(found.reports.reports, once.reports.reports, strict=True):
        assert report.model_copy(update={"repetitions": ()}) == own
        assert (report.training_seed, [one.seed for one in report.repetitions]) == (1, [2, 3])
        assert [one.accuracy.quantized for one in report.repetitions] == [0.98, 0.97]
        assert [one.verification.mismatches for one in report.repetitions] == [0, 0]
        assert [one.resources["xcup"].lut - own.resources["xcup"].lut for one in report.repetitions
                ] == [1, 2]  # fmt: skip
    folder = tmp_path / "build" / "toy" / "explore"
    assert load_reports([folder]) == found.reports
    alone = found.reports.reports[0]
    assert load_reports([folder / alone.config.name]).reports == (alone,)
    again = search(model, tmp_path, no_engine)
    assert again.reports == found.reports


def test_baselines_are_those_of_the_front(model, tmp_path, monkeypatch):
    asked = []

    def measure(sweep, config, store):
        asked.append((sweep.name, config.name, store.root))
        return (Baseline(runtime="made up", model="float32", latency_us=2.0, batch=1),)

    monkeypatch.setattr(run, "software_baselines", measure)
    found = search(model, tmp_path, baselines=True, publish=tmp_path / "published")
    first = found.reports.reports[0].config.name
    assert asked == [("toy", first, (tmp_path / "store").resolve())]
    assert [one.runtime for one in found.reports.baselines] == ["made up"]
    assert load_reports([tmp_path / "published"]).baselines == found.reports.baselines
    assert "made up" in (tmp_path / "published" / "README.md").read_text()


def test_a_repeat_runs_nothing(model, tmp_path):
    first = search(model, tmp_path)
    before = counted(tmp_path)
    again = search(model, tmp_path, no_engine)
    assert again.reports == first.reports
    assert counted(tmp_path) == before


@pytest.mark.full
def test_killed_at_random_moments_it_ends_as_undisturbed(model, tmp_path):
    search(model, tmp_path / "calm")
    place = tmp_path / "shot"
    place.mkdir()
    command = [sys.executable, made_up.__file__, model, place / "store", place / "build", "2"]
    moments = random.Random(5)
    kills = 0
    for number in range(6):
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        started = time.monotonic()
        count = place / made_up.COUNTED
        before = len(counted(place)) if count.exists() else 0
        # Some way into the trials, wherever the machine's speed puts that.
        while process.poll() is None and time.monotonic() - started < 60:
            if count.exists() and len(counted(place)) - before > moments.randrange(1, 4):
                break
            time.sleep(moments.uniform(0, 0.05))
        if process.poll() is None:
            kills += 1
            everybody = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            if number % 2:  # the power fails; else the others notice by themselves
                for child in everybody:
                    if child.is_running():
                        child.kill()
        process.wait()
    assert kills >= 4
    search(model, place)
    assert trials_of(place) == trials_of(tmp_path / "calm")
    check = Store(place / "store").check()
    assert (check.lost, check.corrupt) == ((), ())


def test_a_death_fails_one_trial_and_a_repeat_mends_it(model, tmp_path):
    place = tmp_path / "a"
    place.mkdir()
    (place / made_up.FAULT).write_text("death trial2")
    search(model, place, processes())
    rows = trials_of(place)
    assert "its process died" in rows[2]["error"]
    dead = [row for row in rows if row["state"] == "failed" and "died" in row["error"]]
    assert [row["number"] for row in dead] == [2]
    (place / made_up.FAULT).unlink()
    search(model, place)
    search(model, tmp_path / "calm")
    assert trials_of(place) == trials_of(tmp_path / "calm")


def test_a_full_disk_ends_the_search_in_a_line(model, tmp_path):
    place = tmp_path / "a"
    place.mkdir()
    (place / made_up.FAULT).write_text("full trial4")
    with pytest.raises(InputError, match=r"No space left.*make room.*run the same command again"):
        search(model, place)
    assert Store(place / "store").check() == Check((), (), ())
    (place / made_up.FAULT).unlink()
    search(model, place)
    search(model, tmp_path / "calm")
    assert trials_of(place) == trials_of(tmp_path / "calm")


@pytest.mark.full
def test_two_searches_on_one_store(model, tmp_path):
    command = [sys.executable, made_up.__file__, model, tmp_path / "store"]
    both = [
        subprocess.Popen([*command, tmp_path / name / "build", "1"], env=environment())
        for name in ("a", "b")
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert trials_of(tmp_path / "a") == trials_of(tmp_path / "b")
    assert len(counted(tmp_path)) == len(set(counted(tmp_path)))  # none was run twice
    assert Store(tmp_path / "store").check() == Check((), (), ())


def test_what_is_not_exact_is_not_on_the_front(model, tmp_path):
    search(model, tmp_path / "calm")
    best = [row["number"] for row in trials_of(tmp_path / "calm") if row["front"]]
    place = tmp_path / "a"
    place.mkdir()
    (place / made_up.FAULT).write_text(f"inexact trial{best[0]}")
    found = search(model, place)
    names = [report.config.name for report in found.reports.reports]
    assert f"trial{best[0]}" not in names
    assert {f"trial{number}" for number in best[1:]} <= set(names)
    assert trials_of(place)[best[0]]["error"] == "vector 3 differs"


# A search of all 18 points, whatever they cost; and one that estimates first.
ALL = (
    made_up.SWEEP.partition("  space:")[0]
    + """  space:
    bits.a.weights: [2, 4, 8]
    bits.b.weights: [2, 6]
    bits.b.activations: [2, 4, 8]
  constraints: ["lut<=25000"]
  sampler: grid
  stop: {ebops: false, curve: false, dominated: false, estimate: false}
"""
)
ESTIMATES = ALL.replace("estimate: false", "estimate: true")


def in_each(tmp_path, texts):
    """The results of searches, each in a folder of its own."""
    found = []
    for number, text in enumerate(texts):
        place = tmp_path / f"{number}"
        place.mkdir()
        found.append((search(made_up.model(place / "toy", text), place), place))
    return found


def fronts(found):
    return [(trial.point, trial.figures) for trial in found.reports.search.trials if trial.front]


def test_estimates_change_no_front(tmp_path):
    (every, _), (some, place) = in_each(tmp_path, [ALL, ESTIMATES])
    assert fronts(some) == fronts(every) != []
    assert [r.resources for r in some.reports.reports] == [
        r.resources for r in every.reports.reports
    ]
    stopped = [trial for trial in some.reports.search.trials if trial.reason == "estimate"]
    assert len(stopped) >= 4
    for trial in stopped:
        assert (trial.state, trial.front) == ("stopped", False)
        assert "lut" not in trial.figures
        assert set(trial.estimated) == {"lut"}
        assert trial.figures["accuracy_validation"] > 0
    done = len(some.reports.search.completed)
    facts = dict(search_facts(some.reports.search))
    assert facts["synthesis"] == f"{done} trials synthesized, {len(stopped)} estimated only"
    text = (place / "build" / "toy" / "explore" / "README.md").read_text()
    assert facts["synthesis"] in text
    assert f"{stopped[0].estimated['lut']:,.0f} est. |" in text
    assert "estimated.lut" in trials_csv(some.reports.search).splitlines()[0]
    row = next(row for row in trials_of(place) if row.get("reason") == "estimate")
    assert row["errors"] == {"lut": 0.15}
    assert "lut" not in row["figures"]
    again = search(place / "toy", place, no_engine)
    assert again.reports == some.reports


def test_who_may_join_the_front_after_all_is_synthesized(tmp_path, capsys):
    ((calm, place),) = in_each(tmp_path, [ESTIMATES])
    inexact = " ".join(trial.name for trial in calm.trials if trial.outcome.state == "done")
    shutil.rmtree(place / "store")
    other = tmp_path / "other"
    made_up.model(other / "toy", ALL)
    for folder in (place, other):
        (folder / made_up.FAULT).write_text(f"inexact {inexact}")
    some, every = (search(folder / "toy", folder) for folder in (place, other))
    assert fronts(some) == fronts(every) != []
    joined = [
        trial.number
        for trial, before in zip(some.trials, calm.trials, strict=True)
        if before.outcome.reason == "estimate" and trial.outcome.state == "done"
    ]
    assert joined
    assert f"trial {joined[0]}, synthesized: accuracy_validation" in capsys.readouterr().err


def test_nothing_meets_the_constraints_by_estimate(tmp_path):
    """One is synthesized, so that the message has measured figures."""
    model = made_up.model(tmp_path / "toy", ESTIMATES.replace("lut<=25000", "lut<=10"))
    with pytest.raises(DesignFailure, match=r"meets lut<=10; the nearest, trial 0, has lut 6840"):
        search(model, tmp_path)
    assert [row["number"] for row in trials_of(tmp_path) if row["state"] == "done"] == [0]


def test_nothing_found(tmp_path):
    text = made_up.SWEEP.replace("lut<=20000", "lut<=10")
    model = made_up.model(tmp_path / "toy", text)
    with pytest.raises(DesignFailure, match=r"none of 24 trials meets lut<=10; the nearest, trial"):
        search(model, tmp_path)


def test_fronts_of_before_are_cleared(model, tmp_path):
    search(model, tmp_path)
    folder = tmp_path / "build" / "toy" / "explore"
    (folder / "trial99").mkdir()
    (folder / "mine").mkdir()
    search(model, tmp_path)
    assert not (folder / "trial99").exists()
    assert (folder / "mine").exists()
