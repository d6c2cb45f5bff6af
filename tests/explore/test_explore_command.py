"""`gatewright explore` on the command line; a real search, from the sweep file to the front."""

import json
from pathlib import Path

import pytest

from explore import made_up
from gatewright.cli import main
from gatewright.explore import runs as run
from gatewright.explore.outcome import Outcome, Trial, front
from gatewright.explore.space import load_search

DIGITS = Path(__file__).resolve().parents[2] / "models" / "digits_mlp"
SEARCH = """
search:
  base:
    bits: 6
    training: {epochs: 2}
    architecture: {hidden1: 8, hidden2: 6}
  space:
    bits.hidden1.weights: [3, 6]
    conversion.clock_ns: [4.0, 5.0]
  objectives: [accuracy, lut, latency_ns]
  sampler: grid
  stop: {estimate: false}
"""


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explore", *map(str, arguments)])
    return ended.value.code or 0, *capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--engine", "slurm"], "--engine slurm: choose from local, ray"),
        (["--address", "here:6379"], "--address is for a Ray cluster; add --engine ray"),
        (["--trials", "0"], "--trials"),
    ],
)
def test_wrong_options(tmp_path, capsys, options, problem):
    model = made_up.model(tmp_path / "toy")
    status, out, err = command(capsys, model, *options)
    assert (status, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1


def test_wrong_folder(tmp_path, capsys):
    status, out, err = command(capsys, tmp_path / "nothing")
    assert (status, out) == (2, "")
    assert "nothing: no such sweep" in err


def test_json_alone_is_on_stdout(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "run_trial", made_up.run_trial)
    monkeypatch.setattr(run, "finish_trial", made_up.finish_trial)
    model = made_up.model(tmp_path / "toy")
    store, output = tmp_path / "store", tmp_path / "build"
    status, out, err = command(
        capsys,
        model,
        "--trials",
        9,
        "--store",
        store,
        "-o",
        output,
        "--json",
        "--jobs",
        1,
        "--no-baselines",
    )
    assert status == 0
    assert len(json.loads(out)["search"]["trials"]) == 9
    assert "report: " in err


@pytest.mark.full
def test_a_real_search(tmp_path, capsys):
    model = tmp_path / "digits"
    model.mkdir()
    (model / "model.py").write_text((DIGITS / "model.py").read_text())
    sweep = (DIGITS / "sweep.yaml").read_text().partition("\nsearch:")[0]
    (model / "sweep.yaml").write_text(sweep + SEARCH)
    places = ["--store", tmp_path / "store", "-o", tmp_path / "build", "--json"]
    status, out, _ = command(capsys, model, *places)
    assert status == 0
    found = json.loads(out)
    assert {one["model"] for one in found["baselines"]} == {"float32", "int8", "dynamic range"}
    rows = json.loads((tmp_path / "build" / "digits" / "explore" / run.TRIALS).read_text())
    assert [row["state"] for row in rows] == ["done"] * 4
    for report in found["reports"]:
        assert report["verification"]["mismatches"] == 0
        assert report["verification"]["vectors"] == 450  # the whole test set
        row = next(r for r in rows if f"trial{r['number']}" == report["config"]["name"])
        assert row["figures"]["lut"] == report["resources"]["xcup"]["lut"]
        assert row["figures"]["accuracy_validation"] == report["accuracy"]["validation"]
        latency = report["timing"]["latency_max"] * report["timing"]["clock_ns"]
        assert row["figures"]["latency_ns"] == latency
        project = tmp_path / "build" / "digits" / "explore" / report["config"]["name"]
        assert (project / "rtl" / "project.json").is_file()
    # The same weights at two clocks.
    by_point = {
        (row["point"]["bits.hidden1.weights"], row["point"]["conversion.clock_ns"]): row["figures"]
        for row in rows
    }
    for bits in (3, 6):
        slow, fast = by_point[bits, 5.0], by_point[bits, 4.0]
        assert slow["accuracy_validation"] == fast["accuracy_validation"]
        assert slow["latency_predicted"] <= fast["latency_predicted"]
    again, repeated, said = command(capsys, model, *places)
    assert again == 0
    assert json.loads(repeated) == found
    assert said.count("from the store") == 4
    # Nothing of six bits can meet this limit, which the estimate says before synthesis.
    most = max(by_point[3, clock]["lut"] for clock in (4.0, 5.0))
    less = SEARCH.replace("stop: {estimate: false}", f'constraints: ["lut<={most:.0f}"]')
    (model / "sweep.yaml").write_text(sweep + less)
    status, out, _ = command(capsys, model, *places)
    assert status == 0
    found, known = json.loads(out), rows
    rows = json.loads((tmp_path / "build" / "digits" / "explore" / run.TRIALS).read_text())
    assert [row.get("reason") for row in rows] == [None, None, "estimate", "estimate"]
    every = [Trial(r["number"], r["point"], Outcome(state="done", figures=r["figures"]))
             for r in known]  # fmt: skip
    best = front(load_search(model).search, every)
    assert [row["number"] for row in rows if row["front"]] == [one.number for one in best]
    for one in best:
        assert rows[one.number]["figures"] == known[one.number]["figures"]
    assert all(report["verification"]["mismatches"] == 0 for report in found["reports"])
