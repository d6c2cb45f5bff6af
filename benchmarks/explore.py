"""What searches cost and survive: `python -m benchmarks.explore`, by itself.

A search over the bits of the digits MLP, trained for a few epochs only, since what is measured is
the search: undisturbed; with everything done already; with one worker, for what its steps take one
by one; and killed at random moments.
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
from pathlib import Path
from typing import Any

import psutil

from gatewright.store import Store

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "digits_mlp"
RESULTS = HERE / "results.json"
KILLS = 20
SEARCH = """
search:
  base: {{bits: 6, training: {{epochs: 4}}}}
  space:
    bits.hidden1.weights: [2, 3, 4, 6]
    bits.hidden1.activations: [2, 3, 4, 6]
    bits.hidden2.weights: [2, 3, 4, 6]
    bits.hidden2.activations: [2, 3, 4, 6]
    bits.logits.weights: [2, 3, 4, 6]
  objectives: [accuracy, lut]
  constraints: ["lut<=4000"]
  trials: {trials}
"""
# What holds the others, or says what they said.
_NO_STEPS = ("trial", "trial result")


def make_model(folder: Path, trials: int) -> Path:
    """The digits MLP with a search in its sweep file."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODEL, folder)
    sweep = folder / "sweep.yaml"
    written = sweep.read_text().partition("\nsearch:")[0]
    sweep.write_text(written + SEARCH.format(trials=trials))
    return folder


def start(model: Path, place: Path, jobs: int) -> subprocess.Popen[bytes]:
    """Start a search with a store and a cache of its own; what it says goes to a file."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["gatewright", "explore", model, "--store", place / "store", "-o", place / "build"]
    with (place / "log").open("ab") as log:
        return subprocess.Popen(
            [Path(sys.executable).with_name("gatewright"), *command[1:], "--jobs", str(jobs)],
            env=os.environ | {"GATEWRIGHT_CACHE": str(place.parent / f"cache-{place.name}")},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def search(model: Path, place: Path, jobs: int) -> float:
    """Search to the end; returns the seconds it took."""
    began = time.monotonic()
    status = start(model, place, jobs).wait()
    if status:
        raise RuntimeError(f"the search failed, see {place / 'log'}")
    return round(time.monotonic() - began, 1)


def trials_of(model: Path, place: Path) -> list[dict[str, Any]]:
    """All trials of a search that ended."""
    file = place / "build" / model.name / "explore" / "trials.json"
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found


def killed(model: Path, place: Path, kills: int, longest: float) -> dict[str, Any]:
    """Kill a search with all of its processes, or it alone, at random moments; then let it end."""
    moments = random.Random(1)  # noqa: S311
    at = []
    while len(at) < kills:
        process = start(model, place, 2)
        seconds = moments.uniform(0.5, longest)
        try:
            process.wait(seconds)
            # It came to its end first: forget what it did, since kills were asked for.
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
    search(model, place, 2)
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
    seconds = sum(entry.seconds for entry in entries if entry.kind not in _NO_STEPS)
    for stamp in (place / "store" / "projects").glob("*/steps/*.json"):
        seconds += json.loads(stamp.read_text())["seconds"]
    return round(seconds, 1)


def run(build: Path, trials: int, kills: int) -> dict[str, Any]:
    """Measure everything anew in a directory."""
    shutil.rmtree(build, ignore_errors=True)
    model = make_model(build / "digits_mlp", trials)
    took = search(model, build / "two", 2)
    repeat = search(model, build / "two", 2)
    alone = search(model, build / "one", 1)
    one_by_one = steps_of(build / "one")
    undisturbed = trials_of(model, build / "two")
    results = {
        "trials": len(undisturbed),
        "seconds": took,
        "repeat_s": repeat,
        "seconds_of_one_worker": alone,
        "steps_one_by_one_s": one_by_one,
        "overhead": round(took / (one_by_one / 2), 3),
        "same_with_one_worker": trials_of(model, build / "one") == undisturbed,
    }
    if kills:
        results["killed"] = killed(model, build / "shot", kills, 2 * took / kills) | {
            "same_trials": trials_of(model, build / "shot") == undisturbed
        }
    return results


def main() -> None:
    """Measure, print, and put the results into results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--kills", type=int, default=KILLS)
    asked = parser.parse_args()
    found = run(HERE.parent / "build" / "bench" / "explore", asked.trials, asked.kills)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(results | {"explore": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
