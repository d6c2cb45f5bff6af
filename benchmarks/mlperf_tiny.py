"""Networks of MLPerf Tiny's four reference models, from their published descriptions, at full size.

Banbury et al., "MLPerf Tiny Benchmark", 2021. Weights are random, from a fixed seed.
`python -m benchmarks.mlperf_tiny` converts each for streams at a given rate, and verifies it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._random import fill, legacy_keras, saved
from benchmarks._results import keep
from benchmarks.streams import Projects, verified

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
SAMPLES = 2


def anomaly_detection() -> Any:
    """Dense autoencoder of 640 features: four layers of 128 either side of one of 8."""
    keras = legacy_keras()
    tensor = inputs = keras.Input((640,))
    for number, units in enumerate((128,) * 4 + (8,) + (128,) * 4, 1):
        tensor = keras.layers.Dense(units, name=f"fc{number}")(tensor)
        tensor = keras.layers.BatchNormalization(name=f"bn{number}")(tensor)
        tensor = keras.layers.ReLU(name=f"relu{number}")(tensor)
    return fill(keras.Model(inputs, keras.layers.Dense(640, name="decoded")(tensor)))


def image_classification() -> Any:
    """ResNet-8: 32x32x3, three stages of 16, 32 and 64 filters with a residual block each."""
    keras = legacy_keras()
    layers = keras.layers

    def conv(tensor: Any, name: str, filters: int, size: int = 3, strides: int = 1) -> Any:
        return layers.Conv2D(filters, size, strides, padding="same", name=name)(tensor)

    def normalized(tensor: Any, name: str, relu: bool = True) -> Any:
        tensor = layers.BatchNormalization(name=f"{name}_bn")(tensor)
        return layers.Activation("relu", name=f"{name}_relu")(tensor) if relu else tensor

    inputs = keras.Input((32, 32, 3))
    tensor = normalized(conv(inputs, "conv", 16), "conv")
    for stage, filters in enumerate((16, 32, 64), 1):
        strides = 1 if stage == 1 else 2
        first, second = f"stage{stage}_a", f"stage{stage}_b"
        branch = normalized(conv(tensor, first, filters, 3, strides), first)
        branch = normalized(conv(branch, second, filters), second, relu=False)
        if strides > 1:
            tensor = conv(tensor, f"stage{stage}_shortcut", filters, 1, strides)
        tensor = layers.Add(name=f"stage{stage}_sum")([tensor, branch])
        tensor = layers.Activation("relu", name=f"stage{stage}_relu")(tensor)
    tensor = layers.AveragePooling2D(8, name="pool")(tensor)
    tensor = layers.Dense(10, activation="softmax", name="classes")(layers.Flatten()(tensor))
    return fill(keras.Model(inputs, tensor))


def _separable(keras: Any, tensor: Any, name: str, filters: int, strides: int = 1) -> Any:
    """A depthwise convolution of 3x3, then a pointwise one, both normalized and rectified."""
    layers = keras.layers
    depthwise = layers.DepthwiseConv2D(3, strides, padding="same", name=f"{name}_depthwise")
    pointwise = layers.Conv2D(filters, 1, name=f"{name}_pointwise")
    for layer in (depthwise, pointwise):
        tensor = layers.BatchNormalization(name=f"{layer.name}_bn")(layer(tensor))
        tensor = layers.Activation("relu", name=f"{layer.name}_relu")(tensor)
    return tensor


def keyword_spotting() -> Any:
    """DS-CNN: 49x10x1, 64 filters of 10x4 with strides of 2, four separable blocks of 64."""
    keras = legacy_keras()
    layers = keras.layers
    inputs = keras.Input((49, 10, 1))
    tensor = layers.Conv2D(64, (10, 4), 2, padding="same", name="conv")(inputs)
    tensor = layers.BatchNormalization(name="conv_bn")(tensor)
    tensor = layers.Dropout(0.2)(layers.Activation("relu", name="conv_relu")(tensor))
    for block in range(1, 5):
        tensor = _separable(keras, tensor, f"block{block}", 64)
    tensor = layers.AveragePooling2D((25, 5), name="pool")(layers.Dropout(0.4)(tensor))
    tensor = layers.Dense(12, activation="softmax", name="words")(layers.Flatten()(tensor))
    return fill(keras.Model(inputs, tensor))


def visual_wake_words() -> Any:
    """MobileNetV1 at a width of 0.25: 96x96x3, thirteen separable blocks."""
    keras = legacy_keras()
    layers = keras.layers
    inputs = keras.Input((96, 96, 3))
    tensor = layers.Conv2D(8, 3, 2, padding="same", name="conv")(inputs)
    tensor = layers.BatchNormalization(name="conv_bn")(tensor)
    tensor = layers.Activation("relu", name="conv_relu")(tensor)
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5]
    for number, (filters, strides) in enumerate([*blocks, (256, 2), (256, 1)], 1):
        tensor = _separable(keras, tensor, f"block{number}", filters, strides)
    tensor = layers.AveragePooling2D(3, name="pool")(tensor)
    tensor = layers.Dense(2, activation="softmax", name="person")(layers.Flatten()(tensor))
    return fill(keras.Model(inputs, tensor))


@dataclass(frozen=True)
class Network:
    """A network, and its requested samples per second at 200 MHz."""

    make: Callable[[], Any]
    fps: int


NETWORKS = {
    "anomaly_detection": Network(anomaly_detection, 50_000),
    "image_classification": Network(image_classification, 1_000),
    "keyword_spotting": Network(keyword_spotting, 1_000),
    "visual_wake_words": Network(visual_wake_words, 500),
}


def measure(projects: Projects, name: str) -> dict[str, Any]:
    """Convert and verify a network without cached results: costs, mismatches, interval."""
    network = NETWORKS[name]
    path = saved(projects.folder / f"{name}.h5", network.make)
    directory = projects.unknown(name)
    options = ("--io", "stream", "--fps", str(network.fps), "--clock", "5", "-o", directory)
    costs = {
        "convert": projects.run("convert", path, *options),
        "verify": projects.run("verify", directory, "--samples", str(SAMPLES)),
    }
    return verified(directory) | {
        "costs": {command: asdict(cost) for command, cost in costs.items()},
        "peak_mib": max(cost.peak_mib for cost in costs.values()),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mlperf_tiny")
    parser.add_argument("--only", choices=NETWORKS, action="append", help="may be repeated")
    projects = Projects(BUILD / "mlperf_tiny", BUILD / "cache")
    results = {name: measure(projects, name) for name in parser.parse_args().only or NETWORKS}
    keep("mlperf_tiny", results)
    sys.stdout.write(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
