"""Streams, convolutions and shared multipliers: exactness, cost, intervals, multipliers.

Every figure is a function here; `python -m benchmarks.streams --only mnist` runs only that one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import _measure, cifar_cnn, mnist_cnn
from benchmarks._digits import pictures
from benchmarks._results import keep
from gatewright.design import golden
from gatewright.emit import isolate
from gatewright.flow.convert import load_design, load_rtl
from gatewright.flow.inputs import random_inputs
from gatewright.flow.steps import read_stamp
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.simulate import simulate
from gatewright.zoo import load_sweep, obtain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gatewright.design.dataflow import Design
    from gatewright.rtl.manifest import Module

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"

#: Networks of the zoo with convolutions, each with the configuration whose training is used.
ZOO = dict.fromkeys(("digits_cnn", "digits_separable", "digits_residual", "vowels_conv1d"), "w6_r1")
#: More than the weights of any layer, so that each layer gets its largest reuse factor.
LARGEST = 1 << 30
REUSE_FACTORS = (1, 2, 4, LARGEST)
EXACT_SAMPLES = 100
#: Number of tensors for simulating a single layer; intervals do not depend on their values.
ALONE = 4


class Projects:
    """Runs commands of Gatewright with a cache of their own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cache = cache
        self.environment = os.environ | {"GATEWRIGHT_CACHE": str(cache)}
        self.program = str(Path(sys.executable).with_name("gatewright"))

    def run(self, command: str, *arguments: str | Path) -> _measure.Usage:
        return _measure.run([self.program, command, *arguments], self.environment)

    def unknown(self, name: str) -> Path:
        """A project directory without cached results, except the simulator's fixed C++."""
        for folder in (self.folder / name, self.cache / "results", self.cache / "synth"):
            shutil.rmtree(folder, ignore_errors=True)
        return self.folder / name

    def model(self, name: str, make: Callable[[], Any]) -> Path:
        """The file of a trained network, created if it does not exist."""
        path = self.folder / f"{name}.h5"
        if not path.is_file():
            temporary = path.with_suffix(".tmp.h5")
            make().save(temporary)
            temporary.replace(path)
        return path

    def samples(self, name: str, values: Any) -> Path:
        path = self.folder / f"{name}.npy"
        np.save(path, values)
        return path


def exact(projects: Projects) -> dict[str, Any]:
    """The zoo's networks with convolutions on test samples, see `every_reuse`."""
    results = {}
    for name, configuration in ZOO.items():
        sweep = load_sweep(HERE.parent / "models" / name)
        config = sweep.config(configuration)
        trained = obtain(sweep, config)
        inputs = projects.samples(name, trained.test.x[:EXACT_SAMPLES])
        model: list[str | Path] = [trained.path, "--input-precision", config.input_precision]
        results[name] = every_reuse(projects, name, model, ["--inputs", inputs])
    return results


def every_reuse(
    projects: Projects, name: str, model: list[str | Path], samples: list[str | Path]
) -> dict[str, Any]:
    """Outputs that differ from golden and C++ emulation, and intervals, per io and reuse factor.

    Args:
        projects: where the project directories are created.
        name: name of the project directories.
        model: arguments of `convert` for the model.
        samples: arguments of `verify` for the samples.
    """
    results = {}
    for io in ("stream", "parallel"):
        for reuse in REUSE_FACTORS:
            label = f"{io}_{'largest' if reuse == LARGEST else reuse}"
            directory = projects.folder / f"{name}_{label}"
            options = ("--io", io, "--reuse", str(reuse), "-o", directory)
            projects.run("convert", *model, *options)
            projects.run("verify", directory, *samples)
            results[label] = verified(directory)
    return results


def mnist(projects: Projects) -> dict[str, Any]:
    """A network of MNIST's size at reuse factor 16: 100 images, and UltraScale+."""
    model = projects.model("mnist", mnist_cnn.mnist_cnn)
    images = projects.samples("mnist", pictures(28, 1)[0][-100:])
    options = ["--input-precision", mnist_cnn.INPUT_PRECISION, "--reuse", "16"]
    return _whole_flow(projects, "mnist", model, images, options)


def cifar(projects: Projects) -> dict[str, Any]:
    """A network of CIFAR-10's size for 1,000 frames/s at 100 MHz: 5 images, and UltraScale+."""
    model = projects.model("cifar", cifar_cnn.cifar_cnn)
    images = projects.samples("cifar", pictures(32, 3)[0][-5:])
    options = ["--input-precision", cifar_cnn.INPUT_PRECISION, "--fps", "1000", "--clock", "10"]
    return _whole_flow(projects, "cifar", model, images, options)


def dense(projects: Projects) -> dict[str, Any]:
    """A dense layer of 128 by 128 at reuse factor 128: multipliers, and memory of its weights."""
    model = projects.model("dense", _dense)
    directory = projects.unknown("dense")
    options = ("--io", "stream", "--reuse", "128", "--strategy", "resource", "-o", directory)
    projects.run("convert", model, "--input-precision", "fixed<8,1>", *options)
    projects.run("verify", directory, "--samples", str(EXACT_SAMPLES))
    synthesis = projects.run("synth", directory, "--target", "xcup")
    return verified(directory) | {
        "layers": _layers(directory),
        "synthesis": asdict(synthesis),
        "resources": resources(directory),
    }


def _dense() -> Any:
    """An untrained layer of random 8-bit weights."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras as keras
    from qkeras import QDense, quantized_bits

    keras.utils.set_random_seed(7)
    quantizer = quantized_bits(8, 0, alpha=1)
    layer = QDense(
        128,
        kernel_quantizer=quantizer,
        bias_quantizer=quantizer,
        kernel_initializer=keras.initializers.RandomUniform(-1, 1),
        name="dense",
    )
    return keras.Sequential([keras.layers.Input((128,)), layer])


def _whole_flow(
    projects: Projects, name: str, model: Path, images: Path, options: list[str]
) -> dict[str, Any]:
    """A stream project from model file to cell counts, with the cost of each command."""
    directory = projects.unknown(name)
    costs = {
        "convert": projects.run("convert", model, "--io", "stream", *options, "-o", directory),
        "fifos": projects.run("fifos", directory),
        "verify": projects.run("verify", directory, "--inputs", images),
        "synthesis": projects.run("synth", directory, "--target", "xcup"),
    }
    return verified(directory) | {
        "file_to_verified_rtl_s": round(costs["convert"].wall_s + costs["verify"].wall_s, 1),
        "costs": {command: asdict(cost) for command, cost in costs.items()},
        "peak_mib": max(cost.peak_mib for cost in costs.values()),
        "resources": resources(directory),
        "layers": _layers(directory),
    }


def verified(directory: Path) -> dict[str, Any]:
    """The results of a verification, with the predicted and simulated intervals."""
    stamp, rtl = read_stamp(directory, "verify"), load_rtl(directory)
    assert stamp is not None
    return {
        "vectors": stamp.results.verification.vectors,
        "mismatches": stamp.results.mismatches,
        "latency": [rtl.latency, stamp.results.timing.latency_min],
        "interval": [rtl.interval, stamp.results.interval],
        "slowest_layer_interval": max(module.interval for module in rtl.modules),
    }


def resources(directory: Path) -> dict[str, Any]:
    stamp = read_stamp(directory, "synth-xcup")
    assert stamp is not None
    total: dict[str, Any] = stamp.results.total.model_dump(exclude_none=True)
    return total


def _layers(directory: Path) -> dict[str, Any]:
    """The initiation interval of every layer with weights alone, in theory and as simulated.

    A vector takes as many clock cycles as the reuse factor, an image that number for each of its
    windows. Between two windows at least their distance in pixels passes, one beat per clock cycle.
    """
    design, rtl = load_design(directory), load_rtl(directory)
    kernels = {kernel.layer: kernel for kernel in design.kernels}
    results = {}
    for module in rtl.modules:
        inside = (kernels[layer] for layer in module.layers)
        kernel = next((each for each in inside if isinstance(each, Multiplexed)), None)
        if kernel is None:
            continue
        sizes = [tensor.size for tensor in kernels[module.layer].inputs]
        beats = [size // lanes for size, lanes in zip(sizes, module.lanes, strict=True)]
        results[kernel.layer] = {
            "reuse_factor": kernel.reuse,
            "multipliers": module.multipliers,
            "multipliers_in_theory": -(-kernel.products // kernel.reuse),
            "interval_in_theory": max(kernel.interval(kernel.reuse), *beats),
            "interval_simulated": _alone(directory, design, module),
        }
    return results


def _alone(directory: Path, design: Design, module: Module) -> float | None:
    """Simulated clock cycles per tensor of a single module."""
    rtl = load_rtl(directory)
    words = random_inputs(design, ALONE, 0)
    expected = golden.run(design, words)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "rtl")
        folder.mkdir()
        alone = isolate(rtl, module, design, folder)
        values = [expected[port.tensor].reshape(ALONE, -1) for port in alone.inputs]
        result = simulate(
            alone, values, Path(temporary, "sim"), stalls=(), resets=0, driver_vectors=0
        )
    return result.interval


FIGURES = {"exact": exact, "mnist": mnist, "cifar": cifar, "dense": dense}


def run(names: Iterable[str] = FIGURES, cache: Path = BUILD / "cache") -> dict[str, Any]:
    """Measure figures by name."""
    projects = Projects(BUILD / "streams", cache)
    return {name: FIGURES[name](projects) for name in names}


def main() -> None:
    """Measure, print and store figures; for a user's model, only print `exact`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--only", choices=FIGURES, action="append", help="may be repeated")
    parser.add_argument("--model", type=Path, help="a model to compare with its C++ emulation")
    parser.add_argument("--weights", type=Path, help="its weights, where it is architecture alone")
    asked = parser.parse_args()
    if asked.model is None:
        results = run(asked.only or FIGURES)
        keep("streams", results)
    else:
        weights = ["--weights", asked.weights] if asked.weights else []
        projects = Projects(BUILD / "streams", BUILD / "cache")
        samples: list[str | Path] = ["--samples", str(EXACT_SAMPLES)]
        model = [asked.model, *weights]
        results = every_reuse(projects, asked.model.stem, model, samples)
    sys.stdout.write(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
