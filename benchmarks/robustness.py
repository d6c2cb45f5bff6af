"""Measures the robustness of commands: `python -m benchmarks.robustness`, separately.

`kills`: convert, verify, synth, run, quantize and explore are killed at random times, every other
time with all their processes, and run again. Are there leftovers, and are the results the same?
`pairs`: two commands at once on one directory. `configurations`: leftovers of a run of many. All
use small networks, because the commands are measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from benchmarks._results import RESULTS, keep

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "digits_mlp"
PATIENCE = 60.0  # seconds that processes of a killed command may take to end
PAIRED = ("convert", "verify", "synth", "fifos")

#: Fields of JSON files with times and logs, which are not compared.
_TIMES = {"seconds", "cycles_per_second", "sha256", "files", "key", "creator", "invocation"}
_UNLIKE = ("simulation.log", "yosys.log", "results.xml", "index.html", "log", "trials.csv")
_LITTER = ("*gatewright-*", "*.aside", "build-*", "job-*", "tmp*")

_FOREIGN = re.compile(r"temporary/(cc\w+\.\w+|__autograph_generated_file\w+\.py|__pycache__)")

#: Marks the processes that a measurement starts.
_MARK = "GATEWRIGHT_MEASURED"

_SWEEP = """\
description: Handwritten digits; a small network
layers: [hidden1, hidden2, logits]
defaults:
  input_precision: ufixed<5,1>
  architecture: {{hidden1: 6, hidden2: 4}}
  training: {{epochs: 1, batch_size: 64, learning_rate: 0.003, seed: 1}}
  conversion: {{io: parallel, reuse_factor: 1, target: xcup, clock_ns: 5.0}}
configs:
{configs}
search:
  base: {{bits: 3, architecture: {{hidden1: 6, hidden2: 4}}}}
  space:
    bits.hidden1.weights: [2, 3]
  objectives: [accuracy, lut]
  trials: 2
"""


@dataclass
class Place:
    """A working directory with its own temporary directory and cache."""

    root: Path
    cache: Path
    number: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True, exist_ok=True)

    @property
    def temporary(self) -> Path:
        return self.root / "temporary"

    def start(self, command: list[Any]) -> subprocess.Popen[bytes]:
        """Start a command of Gatewright with its output in a file."""
        self.number += 1
        self.environment = os.environ | {
            "GATEWRIGHT_CACHE": str(self.cache),
            "TMPDIR": str(self.temporary),
            _MARK: f"{self.root}",
        }
        with (self.root / "log").open("ab") as log:
            return subprocess.Popen(
                [Path(sys.executable).with_name("gatewright"), *map(str, command)],
                cwd=self.root,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=0,
            )

    def run(self, command: list[Any]) -> float:
        """Run a command to its end, and return its wall time in s."""
        began = time.monotonic()
        process = self.start(command)
        if process.wait():
            last = (self.root / "log").read_text().splitlines()[-1:]
            raise RuntimeError(f"{command[0]} failed: {last}")
        return time.monotonic() - began

    def processes(self) -> list[psutil.Process]:
        """The running processes that were started here."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == str(self.root):
                    found.append(process)
            except psutil.Error:
                continue
        return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def left_running(self) -> int:
        """Processes that don't end by themselves."""
        end = time.monotonic() + PATIENCE
        while found := self.processes():
            if time.monotonic() > end:
                return len(found)
            time.sleep(0.2)
        return 0

    def litter(self) -> list[str]:
        """Temporary files and directories, in the temporary directory or beside results."""
        places = [path for path in self.root.iterdir() if path != self.temporary]
        found = list(self.temporary.iterdir())
        for place, pattern in product(places, _LITTER):
            found += place.rglob(pattern)
        names = {path.relative_to(self.root).as_posix() for path in found}
        # Leftovers of killed compilers and of TensorFlow are not Gatewright's.
        return sorted(name for name in names if not _FOREIGN.fullmatch(name))


def write_network(folder: Path) -> tuple[Path, Path]:
    """A float network of two dense layers as Keras writes it: architecture and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    first = {"name": "x", "batch_input_shape": [None, 3], "dtype": "float32"}
    layers: list[dict[str, Any]] = [{"class_name": "InputLayer", "config": first}]
    with h5py.File(folder / "net.weights.h5", "w") as file:
        for name, rows, units, activation in (("fc1", 3, 2, "relu"), ("fc2", 2, 2, "linear")):
            config = {"name": name, "units": units, "activation": activation, "use_bias": True}
            layers.append({"class_name": "Dense", "config": config})
            group = file.create_group(f"{name}/{name}")
            group["kernel:0"] = rng.choice([-5, -3, 3, 5, 7], (rows, units)).astype("f4") / 8
            group["bias:0"] = np.arange(1, units + 1, dtype="f4") / 8
    architecture = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    (folder / "net.json").write_text(json.dumps(architecture))
    return folder / "net.json", folder / "net.weights.h5"


def write_sweep(folder: Path, configurations: int) -> Path:
    """A small digits MLP with many configurations."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODEL, folder)
    bits = [(weights, activations) for weights in range(2, 10) for activations in range(2, 7)]
    configs = ""
    for weights, activations in bits[:configurations]:
        layer = f"{{weights: {weights}, activations: {activations}}}"
        layers = f"{{hidden1: {layer}, hidden2: {layer}, logits: {weights}}}"
        configs += f"  - {{name: w{weights}a{activations}, bits: {layers}}}\n"
    (folder / "sweep.yaml").write_text(_SWEEP.format(configs=configs))
    return folder


def commands(place: Path) -> dict[str, list[list[Any]]]:
    """The commands of each case; the last one is killed, the others prepare it."""
    model, weights = write_network(place / "models")
    sweep = write_sweep(place / "models" / "digits_mlp", 2)
    convert = ["convert", model, "--weights", weights, "-o", "net"]
    convert += ["--input-precision", "fixed<6,2>", "--precision", "fixed<8,3>"]
    verify = ["verify", "net", "--samples", "200"]
    synth = ["synth", "net", "--target", "xcup"]
    small = ["--jobs", "2", "--no-baselines", "-o", "build"]
    return {
        "convert": [convert],
        "verify": [convert, verify],
        "synth": [convert, synth],
        "fifos": [convert, ["fifos", "net", "--samples", "4"]],
        "quantize": [["quantize", model, "--weights", weights, "--bits", "4", "-o", "small.h5"]],
        "run": [["run", sweep, *small]],
        "explore": [["explore", sweep, "--store", "store", *small]],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in _TIMES}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def contents(root: Path) -> dict[str, str]:
    """Hashes of the results of commands in a directory, without times."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        skipped = name.parts[0] in ("temporary", "store", "log") or path.name in _UNLIKE
        if skipped or path.name.startswith("gw_bench-") or not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".json":
            # A search names the models in its store, whose path differs.
            data = data.replace(str(root).encode(), b"PLACE")
            data = json.dumps(_plain(json.loads(data)), sort_keys=True).encode()
        found[name.as_posix()] = hashlib.sha256(data).hexdigest()
    return found


def kill(process: subprocess.Popen[bytes], *, everybody: bool) -> None:
    """Kill a command, alone or with all its processes, and wait for its end."""
    others = psutil.Process(process.pid).children(recursive=True) if everybody else []
    process.kill()
    for other in others:
        try:
            other.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def killed(build: Path, name: str, kills: int, seed: int = 1) -> dict[str, Any]:
    """Kill a command at random times, and run it again each time.

    Returns:
        The number of kills, the number of results that differ from an undisturbed run, the
        processes left running, and the temporary files left after running it again.
    """
    *before, command = commands(build / name)[name]
    cache = build / "cache"
    calm = Place(build / name / "calm", cache)
    for earlier in before:
        calm.run(earlier)
    ready = shutil.copytree(calm.root, build / name / "ready")
    calm.run(command)  # once more than measured, to fill the cache
    shutil.rmtree(calm.root)
    shutil.copytree(ready, calm.root)
    seconds = calm.run(command)
    expected = contents(calm.root)
    moments = random.Random(f"{name} {seed}")
    found: dict[str, Any] = {"kills": 0, "differ": 0, "left_running": 0, "litter": []}
    at = Place(build / name / "killed", cache)
    while found["kills"] < kills:
        shutil.rmtree(at.root)
        shutil.copytree(ready, at.root)
        at.temporary.mkdir(exist_ok=True)
        process = at.start(command)
        try:
            process.wait(moments.uniform(0.1, seconds))
            continue  # it finished first
        except subprocess.TimeoutExpired:
            kill(process, everybody=bool(found["kills"] % 2))
        found["kills"] += 1
        found["left_running"] += at.left_running()
        at.run(command)
        again = contents(at.root)
        if again != expected:
            found["differ"] += 1
            names = [n for n in {*again, *expected} if again.get(n) != expected.get(n)]
            found.setdefault("differing", []).extend(sorted(names)[:5])
        found["litter"] = sorted({*found["litter"], *at.litter()})
    return found


def pairs(build: Path, names: tuple[str, ...] = PAIRED) -> dict[str, Any]:
    """Start two commands at once on one directory: their exits, and whether the result is right."""
    cache = build / "cache"
    given = commands(build / "pairs")
    calm = Place(build / "pairs" / "calm", cache)
    for name in names:
        calm.run(given[name][-1])
    expected = contents(calm.root)
    found = {}
    for first, second in product(names, repeat=2):
        at = Place(build / "pairs" / f"{first}-{second}", cache)
        if "convert" not in (first, second):
            at.run(given["convert"][-1])
        both = [at.start(given[name][-1]) for name in (first, second)]
        statuses = [process.wait() for process in both]
        said = [
            line for line in (at.root / "log").read_text().splitlines() if "gatewright:" in line
        ]
        for name in names:
            at.run(given[name][-1])
        right = contents(at.root) == expected and not at.litter() and not at.left_running()
        found[f"{first} {second}"] = {"statuses": statuses, "said": said, "right": right}
    return found


def configurations(build: Path, count: int) -> dict[str, Any]:
    """Run many configurations with two workers: cost and leftovers."""
    sweep = write_sweep(build / "models" / "digits_mlp", count)
    at = Place(build / "forty", build / "cache-forty")
    before = _system()
    process = at.start(["run", sweep, "--jobs", "2", "--no-baselines", "-o", "build"])
    main = psutil.Process(process.pid)
    samples: list[dict[str, float]] = []
    began = time.monotonic()
    while process.poll() is None:
        try:
            with main.oneshot():
                samples.append(
                    {
                        "seconds": time.monotonic() - began,
                        "rss_mb": main.memory_info().rss / 1e6,
                        "files": main.num_fds(),
                        "children": len(main.children(recursive=True)),
                    }
                )
        except psutil.Error:
            break
        time.sleep(0.5)
    status = process.wait()
    quarter = max(1, len(samples) // 4)
    parts = {"first quarter": samples[:quarter], "last quarter": samples[-quarter:]}
    return {
        "configurations": count,
        "status": status,
        "seconds": round(time.monotonic() - began),
        "main_process": {
            part: {
                key: round(max(sample[key] for sample in taken))
                for key in ("rss_mb", "files", "children")
            }
            for part, taken in parts.items()
        },
        "left_running": at.left_running(),
        "litter": at.litter(),
        "before": before,
        "after": _system(),
    }


def _system() -> dict[str, int]:
    """Processes of this user, and entries of the system's temporary directory."""
    mine = psutil.Process().uids().real
    count = 0
    for process in psutil.process_iter():
        try:
            count += process.uids().real == mine
        except psutil.Error:
            continue
    return {"processes": count}


def main() -> None:
    """Measure the requested parts, print them, and store them in results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["kills", "pairs", "configurations"])
    parser.add_argument("--kills", type=int, default=100, help="of all commands together")
    parser.add_argument("--only", action="append", help="a command")
    parser.add_argument("--count", type=int, default=40, help="configurations")
    parser.add_argument("--build", type=Path, default=HERE.parent / "build" / "robustness")
    options = parser.parse_args()
    shutil.rmtree(options.build / options.part, ignore_errors=True)
    build = options.build.resolve() / options.part
    build.mkdir(parents=True)
    found: dict[str, Any] = {}
    if options.part == "kills":
        names = options.only or ["convert", "verify", "synth", "run", "quantize", "explore"]
        for number, name in enumerate(names):
            share = options.kills // len(names) + (number < options.kills % len(names))
            found[name] = killed(build, name, share)
            sys.stdout.write(json.dumps({name: found[name]}) + "\n")
            sys.stdout.flush()
    elif options.part == "pairs":
        found = pairs(build, tuple(options.only or PAIRED))
    else:
        found = configurations(build, options.count)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    if options.only and RESULTS.is_file():  # commands may be measured one by one
        entry = json.loads(RESULTS.read_text()).get("robustness", {})
        found = entry.get(options.part, {}) | found
    keep("robustness", {options.part: found})


if __name__ == "__main__":
    main()
