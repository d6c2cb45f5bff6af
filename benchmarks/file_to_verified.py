"""Time from a model's file to RTL verified on 1,000 vectors, by part.

`python -m benchmarks.file_to_verified [--before CHECKOUT]`: with a checkout of an older commit, its
Gatewright is measured in turn with the same Python.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import _imports, _measure
from benchmarks._random import fill, legacy_keras, saved
from benchmarks._results import keep

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench" / "file_to_verified"
VECTORS = 1000

#: What runs in processes of its own, by what their command lines have; the first that fits.
PARTS = {
    "g++": "ap_types",
    "verilator": "verilator_bin",
    "verilator_g++": "vltstd",
    "simulation": "/sim/",
    "emulation": "emulation/emulation_worker.py",
    "model": "frontend.reference",
    "reading": "hdf5_worker",
}


def float_mlp() -> Any:
    """16-64-32-32-5, rectifiers, no quantizers."""
    keras = legacy_keras()
    layers = [keras.layers.Input((16,))]
    for number, units in enumerate((64, 32, 32), 1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"fc{number}"))
    return fill(keras.Sequential([*layers, keras.layers.Dense(5, name="output")]))


def econ_like() -> Any:
    """The encoder of the CMS endcap's concentrator: 8x8x1, 8 filters of 3x3, dense 16; 6 bits."""
    keras = legacy_keras()
    from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

    bits = {q: quantized_bits(6, 0, alpha=1) for q in ("kernel_quantizer", "bias_quantizer")}
    layers = [
        keras.layers.Input((8, 8, 1)),
        QConv2D(8, 3, padding="same", name="conv", **bits),
        QActivation(quantized_relu(8, 2), name="conv_relu"),
        keras.layers.Flatten(name="flat"),
        QDense(16, name="encoded", **bits),
        QActivation(quantized_relu(9, 2), name="encoded_relu"),
    ]
    return fill(keras.Sequential(layers))


def svhn_like() -> Any:
    """32x32x3, three convolutions with normalization and pooling, dense 42-64-10; 6 bits."""
    keras = legacy_keras()
    from qkeras import QActivation, QConv2DBatchnorm, QDense, quantized_bits, quantized_relu

    bits = {q: quantized_bits(6, 0, alpha=1) for q in ("kernel_quantizer", "bias_quantizer")}
    layers = [keras.layers.Input((32, 32, 3))]
    for number, filters in enumerate((16, 16, 24), 1):
        layers += [
            QConv2DBatchnorm(filters, 3, name=f"conv{number}", **bits),
            QActivation(quantized_relu(6, 2), name=f"conv{number}_relu"),
            keras.layers.MaxPooling2D(2, name=f"pool{number}"),
        ]
    layers.append(keras.layers.Flatten(name="flat"))
    for number, units in enumerate((42, 64), 1):
        layers += [
            QDense(units, name=f"fc{number}", **bits),
            QActivation(quantized_relu(6, 2), name=f"fc{number}_relu"),
        ]
    return fill(keras.Sequential([*layers, QDense(10, name="logits", **bits)]))


@dataclass(frozen=True)
class Network:
    """A network with its options of `convert`."""

    make: Callable[[], Any]
    options: tuple[str, ...]


NETWORKS = {
    "float_mlp": Network(float_mlp, ("--input-precision", "fixed<16,6>")),
    "econ_like": Network(econ_like, ("--input-precision", "ufixed<8,0>")),
    "svhn_like": Network(
        svhn_like,
        ("--input-precision", "ufixed<8,0>", "--io", "stream", "--fps", "20000"),
    ),
}


@dataclass
class Parts:
    """Adds up the time of each part.

    Attributes:
        wall: time in which a process of the part existed, in s.
        cpu: processor time of its processes, in s, by process.
    """

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, dict[int, float]] = field(default_factory=dict)
    _last: float = field(default_factory=time.monotonic)
    _known: dict[int, str] = field(default_factory=dict)

    def look(self, root: int) -> None:
        """Record the processes that run now."""
        now, present = time.monotonic(), set()
        for process in psutil.Process(root).children(recursive=True):
            try:
                part = self._part(process)
                used = process.cpu_times()
            except psutil.Error:
                continue
            if part:
                present.add(part)
                self.cpu.setdefault(part, {})[process.pid] = used.user + used.system
        for part in present:
            self.wall[part] = self.wall.get(part, 0.0) + now - self._last
        self._last = now

    def _part(self, process: psutil.Process) -> str:
        if process.pid not in self._known:
            words = " ".join(process.cmdline())
            if "launcher.py" in words:  # becomes what it was asked to run
                return ""
            part = next((part for part, sign in PARTS.items() if sign in words), "")
            self._known[process.pid] = part or self._known.get(process.ppid(), "")
        return self._known[process.pid]


def measure(
    checkout: Path, network: Path, options: tuple[str, ...], folder: Path
) -> dict[str, Any]:
    """Convert and verify once, without cached results of the network.

    Returns:
        Wall time in s and memory of both commands; `wall_s` and `cpu_s` by part: `start` is
        imports, `conversion` the rest of convert's own work, `own` that of verify.
    """
    project, cache = folder / "project", folder / "cache"
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(cache / "results", ignore_errors=True)
    environment = os.environ | {
        "GATEWRIGHT_CACHE": str(cache),
        "PYTHONPATH": str(checkout / "src"),
    }
    parts, said = Parts(), folder / "imports.json"
    costs, own = {}, {}
    for command, arguments in (
        ("convert", [network, *options, "-o", project]),
        ("verify", [project, "--samples", str(VECTORS)]),
    ):
        driver = [sys.executable, _imports.__file__, str(said), command, *map(str, arguments)]
        costs[command] = _measure.run(driver, environment, parts.look)
        own[command] = json.loads(said.read_text())
    cpu = {part: sum(used.values()) for part, used in parts.cpu.items()}
    cpu["start"] = sum(each["imports"] for each in own.values())
    cpu["conversion"] = own["convert"]["own"] - own["convert"]["imports"]
    cpu["own"] = own["verify"]["own"] - own["verify"]["imports"]
    return {
        "file_to_verified_rtl_s": round(sum(cost.wall_s for cost in costs.values()), 1),
        "convert_s": costs["convert"].wall_s,
        "verify_s": costs["verify"].wall_s,
        "cpu_s": round(sum(cost.cpu_s for cost in costs.values()), 1),
        "peak_mib": max(cost.peak_mib for cost in costs.values()),
        "parts_wall_s": {part: round(seconds, 1) for part, seconds in sorted(parts.wall.items())},
        "parts_cpu_s": {part: round(seconds, 1) for part, seconds in sorted(cpu.items())},
    }


def run(names: list[str], before: Path | None = None) -> dict[str, Any]:
    """Measure networks, by name; each with both checkouts in turn.

    The simulator's fixed C++ is compiled before, because users need that only once.
    """
    checkouts = {"before": before} if before else {}
    checkouts["after"] = HERE.parent
    warm = saved(BUILD / "float_mlp.h5", float_mlp)
    results: dict[str, Any] = {}
    for side, checkout in checkouts.items():
        folder = BUILD / side
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "cache").exists():
            measure(checkout, warm, NETWORKS["float_mlp"].options, folder)
    for name in names:
        network = NETWORKS[name]
        path = saved(BUILD / f"{name}.h5", network.make)
        for side, checkout in checkouts.items():
            found = measure(checkout, path, network.options, BUILD / side)
            results.setdefault(name, {})[side] = found
        if before:
            both = results[name]
            results[name]["before_over_after"] = {
                figure: round(both["before"][figure] / both["after"][figure], 2)
                for figure in ("file_to_verified_rtl_s", "convert_s", "verify_s", "cpu_s")
            }
    return results


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.file_to_verified")
    parser.add_argument("--only", choices=NETWORKS, action="append", help="may be repeated")
    parser.add_argument("--before", type=Path, help="a checkout of an older commit")
    asked = parser.parse_args()
    if asked.before is not None and not (asked.before / "src" / "gatewright").is_dir():
        parser.error(f"--before: {asked.before} has no src/gatewright")
    before = asked.before.resolve() if asked.before else None
    results = run(asked.only or list(NETWORKS), before)
    keep("file_to_verified", results)
    sys.stdout.write(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
