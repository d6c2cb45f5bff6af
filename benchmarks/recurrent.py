"""A GRU and an LSTM of 8-bit weights, at reuse factors 1 and the largest, exact and synthesized.

Run it as `python -m benchmarks.recurrent`. Weights are random.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._random import fill, legacy_keras
from benchmarks._results import keep
from benchmarks.streams import BUILD, LARGEST, Projects, resources, verified
from gatewright.flow.convert import load_rtl

if TYPE_CHECKING:
    from pathlib import Path

STEPS, INPUTS = 20, 6
UNITS = {"GRU": 20, "LSTM": 16}
SAMPLES = 200
#: Of weights and biases, as QKeras' quantized_bits(8, 0, alpha=1) has them.
WEIGHT = "fixed<8,1>"


def _network(kind: str) -> Any:
    """A layer of random weights, rounded to 8 bits."""
    keras = legacy_keras()
    layer = getattr(keras.layers, kind)(UNITS[kind], name="rnn")
    model = fill(keras.Sequential([keras.layers.Input((STEPS, INPUTS)), layer]))
    layer.set_weights(
        [np.clip(np.round(each * 128), -128, 127) / 128 for each in layer.get_weights()]
    )
    return model


def measure(projects: Projects, kind: str, reuse: int) -> dict[str, Any]:
    """A layer from file to cell counts: mismatches, latency, interval, resources."""
    model = projects.model(kind, lambda: _network(kind))
    directory: Path = projects.unknown(f"{kind}_{reuse}")
    roles = ("weight", "recurrent_weight", "bias", "recurrent_bias")
    settings = [f"--set=rnn.precision.{role}={WEIGHT}" for role in roles]
    options = ("--input-precision", "fixed<8,3>", "--reuse", str(reuse), "-o", directory)
    projects.run("convert", model, *settings, *options)
    projects.run("verify", directory, "--samples", str(SAMPLES))
    projects.run("synth", directory, "--target", "xcup")
    found = verified(directory)
    (module,) = load_rtl(directory).modules
    return found | {
        "cycles_of_a_step": found["interval"][1] / STEPS,
        "multipliers": module.multipliers,
        "resources": resources(directory),
    }


def run() -> dict[str, Any]:
    """Measure each layer at both ends of its reuse factors."""
    projects = Projects(BUILD / "recurrent", BUILD / "cache")
    return {
        f"{kind.lower()}_{'largest' if reuse == LARGEST else reuse}": measure(projects, kind, reuse)
        for kind in UNITS
        for reuse in (1, LARGEST)
    }


if __name__ == "__main__":
    found = run()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    keep("recurrent", found)
