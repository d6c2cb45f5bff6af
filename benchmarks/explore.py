"""Measures searches, their cost and their robustness: `python -m benchmarks.explore`, separately.

First the zoo's own search for a cheaper digits MLP, from empty stores. Then a search over the bits
of a smaller MLP with few epochs, because only the search is measured: undisturbed, repeated, with
one worker, and killed at random times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil

from benchmarks._results import keep
from gatewright.report.report_files import load_reports
from gatewright.report.schema import Report
from gatewright.store import Store

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "digits_mlp"
WORKERS = 2
KILLS = 20
SHORT, TURNS = 2, 3  # trials of a short search; number of runs alone and in parallel with another
SEARCH = """
search:
  base:
    bits: 6
    training: {{epochs: 4}}
    architecture: {{hidden1: 12, hidden2: 8}}
  space:
    bits.hidden1.weights: [2, 3, 4, 6]
    bits.hidden1.activations: [2, 3, 4, 6]
    bits.hidden2.weights: [2, 3, 4, 6]
    bits.hidden2.activations: [2, 3, 4, 6]
    bits.logits.weights: [2, 3, 4, 6]
  objectives: [accuracy, lut]
  constraints: ["lut<=2000"]
  trials: {trials}
"""
# What holds the others, or says what they said.
_NO_STEPS = ("trial", "trial result")


def make_model(folder: Path, trials: int) -> Path:
    """A smaller digits MLP with a search over its bits in the sweep file."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODEL, folder)
    sweep = folder / "sweep.yaml"
    written = sweep.read_text().partition("\nsearch:")[0]
    sweep.write_text(written + SEARCH.format(trials=trials))
    return folder


def start(model: Path, place: Path, jobs: int) -> subprocess.Popen[bytes]:
    """Start a search with its own store and cache, and its output in a file."""
    command = ["explore", model, "--store", place / "store", "--jobs", jobs]
    return launch([*command, "--no-baselines"], place)


def launch(command: list[Any], place: Path) -> subprocess.Popen[bytes]:
    """Start a command of Gatewright with its own build directory and cache."""
    place.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("gatewright")
    with (place / "log").open("ab") as log:
        return subprocess.Popen(
            [program, *map(str, command), "-o", place / "build"],
            env=os.environ | {"GATEWRIGHT_CACHE": str(place.parent / f"cache-{place.name}")},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def finish(process: subprocess.Popen[bytes], place: Path) -> None:
    """Wait for a command to end successfully."""
    if process.wait():
        raise RuntimeError(f"a command failed, see {place / 'log'}")


def cheaper(place: Path) -> dict[str, Any]:
    """The zoo's search for a cheaper digits MLP: its front over seeds, compared with 8 bits."""
    finish(launch(["run", MODEL, "--config", "uniform8", "--no-baselines"], place), place)
    (wide,) = load_reports([place / "build" / MODEL.name / "uniform8"]).reports
    began = time.monotonic()
    finish(launch(["explore", MODEL, "--jobs", WORKERS], place), place)
    seconds = time.monotonic() - began
    found = load_reports([place / "build" / MODEL.name / "explore"])
    uniform8 = _lut(wide)[0]
    return {
        "seconds": round(seconds),
        "uniform8_lut": uniform8,
        "front": {report.config.name: _over_seeds(report, uniform8) for report in found.reports},
    }


def _lut(report: Report) -> list[int]:
    """LUTs of every seed."""
    parts = [report.resources, *(again.resources for again in report.repetitions)]
    known = [part["xcup"].lut for part in parts if part["xcup"].lut is not None]
    if len(known) < len(parts):
        raise RuntimeError(f"{report.config.name}: LUTs of a seed are missing")
    return known


def _over_seeds(report: Report, uniform8: int) -> dict[str, Any]:
    accuracies = [report.accuracy, *(again.accuracy for again in report.repetitions)]
    floats = [part.float_model for part in accuracies if part and part.float_model is not None]
    own = [part.quantized for part in accuracies if part and part.quantized is not None]
    if not len(own) == len(floats) == 1 + len(report.repetitions):
        raise RuntimeError(f"{report.config.name}: an accuracy is missing")
    checks = [report.verification, *(again.verification for again in report.repetitions)]
    return {
        "seeds": len(own),
        "float_accuracy": round(fmean(floats), 4),
        "accuracy": round(fmean(own), 4),
        "lost": round(fmean(floats) - fmean(own), 4),
        "lut": _lut(report),
        "lut_ratio_mean": round(fmean(_lut(report)) / uniform8, 3),
        "lut_ratio_most": round(max(_lut(report)) / uniform8, 3),
        "mismatches": sum(check.mismatches for check in checks if check),
    }


def search(model: Path, place: Path, jobs: int) -> float:
    """Run a search to its end, and return its wall time in s."""
    began = time.monotonic()
    finish(start(model, place, jobs), place)
    return round(time.monotonic() - began, 1)


def trials_of(model: Path, place: Path) -> list[dict[str, Any]]:
    """All trials of a search that ended."""
    file = place / "build" / model.name / "explore" / "trials.json"
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found


def killed(model: Path, place: Path, kills: int, longest: float) -> dict[str, Any]:
    """Kill a search, alone or with all its processes, at random times; then let it finish."""
    moments = random.Random(1)
    at: list[float] = []
    while len(at) < kills:
        process = start(model, place, WORKERS)
        seconds = moments.uniform(0.5, longest)
        try:
            process.wait(seconds)
            # It finished first: discard it, because only killed searches count.
            shutil.rmtree(place)
            continue
        except subprocess.TimeoutExpired:
            pass
        everybody = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        if len(at) % 2:
            for child in everybody:
                if child.is_running():
                    child.kill()
        process.wait()
        at.append(round(seconds, 1))
    began = time.monotonic()
    search(model, place, WORKERS)
    check = Store(place / "store").check()
    return {
        "kills_at_s": at,
        "last_run_s": round(time.monotonic() - began, 1),
        "entries_lost": len(check.lost),
        "entries_corrupt": len(check.corrupt),
    }


def steps_of(place: Path) -> float:
    """Seconds of all steps that a search did."""
    entries = Store(place / "store").entries()
    seconds = sum(
        # What was stopped early tells how long it had taken.
        entry.record["seconds"] if entry.kind == "stopped" else entry.seconds
        for entry in entries
        if entry.kind not in _NO_STEPS
    )
    for stamp in (place / "store" / "projects").glob("*/steps/*.json"):
        seconds += json.loads(stamp.read_text())["seconds"]
    return round(seconds, 1)


def side_by_side(build: Path) -> list[float]:
    """The slowdown of a short search with one worker when another search runs in parallel.

    Runs alone and in parallel alternate, because the speed of a machine can drift.
    """
    model = make_model(build / "short" / "digits_mlp", SHORT)
    ratios = []
    for turn in range(TURNS):
        places = [build / f"{name}{turn}" for name in ("alone", "left", "right")]
        alone = search(model, places[0], 1)
        began = time.monotonic()
        both = [(start(model, place, 1), place) for place in places[1:]]
        for process, place in both:
            finish(process, place)
        ratios.append(round((time.monotonic() - began) / alone, 3))
    return ratios


def cost(build: Path, trials: int) -> dict[str, Any]:
    """The cost of a search with two workers, and of its repetition."""
    model = make_model(build / "digits_mlp", trials)
    took = search(model, build / "two", WORKERS)
    repeat = search(model, build / "two", WORKERS)
    steps = steps_of(build / "two")
    beside = side_by_side(build)
    return {
        "trials": len(trials_of(model, build / "two")),
        "seconds": took,
        "repeat_s": repeat,
        "steps_s": steps,
        "side_by_side": beside,
        "overhead": round(took * WORKERS * median(beside) / steps, 3),
    }


def one_by_one(build: Path, trials: int) -> dict[str, Any]:
    """The same search with one worker, which must find the same; run part `search` before."""
    model = make_model(build / "digits_mlp", trials)
    expected = trials_of(model, build.parent / "search" / "two")
    took = search(model, build / "one", 1)
    found = trials_of(model, build / "one")
    return {
        "trials": len(found),
        "seconds": took,
        "steps_s": steps_of(build / "one"),
        "same_as_with_two": found == expected,
    }


def survival(build: Path, trials: int, kills: int) -> dict[str, Any]:
    """The effect of kills on a search."""
    model = make_model(build / "digits_mlp", trials)
    took = search(model, build / "calm", WORKERS)
    results = killed(model, build / "shot", kills, 2 * took / kills)
    same = trials_of(model, build / "shot") == trials_of(model, build / "calm")
    return {"trials": trials} | results | {"same_trials_and_front": same}


def main() -> None:
    """Measure, print, and put the results into results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--kills", type=int, default=KILLS)
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "cheaper": cheaper,
        "search": lambda build: cost(build, asked.trials),
        "one_by_one": lambda build: one_by_one(build, asked.trials),
        "killed": lambda build: survival(build, asked.trials, asked.kills),
    }
    parser.add_argument("--only", choices=parts)
    asked = parser.parse_args()
    build = HERE.parent / "build" / "bench" / "explore"
    for name in [asked.only] if asked.only else parts:
        shutil.rmtree(build / name, ignore_errors=True)
        found = parts[name](build / name)
        sys.stdout.write(json.dumps({name: found}, indent=1) + "\n")
        keep("explore", {name: found})


if __name__ == "__main__":
    main()
