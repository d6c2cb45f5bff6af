"""Several pixels per clock: the interval and the area of a small detector of signals.

A convolution of 256 samples of 4 channels (kernel 7, 8 filters, 6 bits), pooling, and a dense layer
of 2 results, for a stream with 1, 2, 4 and 8 samples per clock. Run it as
`python -m benchmarks.pixels`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks._random import fill, legacy_keras
from benchmarks._results import keep
from benchmarks.streams import BUILD, Projects, resources, verified

SAMPLES, CHANNELS, TAPS, FILTERS = 256, 4, 7, 8
PER_CLOCK = (1, 2, 4, 8)
VECTORS = 100


def _network() -> Any:
    keras = legacy_keras()
    import qkeras

    bits = {
        f"{what}_quantizer": qkeras.quantized_bits(6, 0, alpha=1) for what in ("kernel", "bias")
    }
    layers = keras.layers
    return fill(
        keras.Sequential(
            [
                layers.Input((SAMPLES, CHANNELS)),
                qkeras.QConv1D(FILTERS, TAPS, padding="same", name="conv", **bits),
                qkeras.QActivation(qkeras.quantized_relu(6, 2), name="act"),
                layers.MaxPooling1D(2, name="pool"),
                layers.Flatten(name="flat"),
                qkeras.QDense(2, name="out", **bits),
            ]
        )
    )


def measure(projects: Projects, pixels: int) -> dict[str, Any]:
    """From file to cell counts; the last layer has as many multipliers as it needs to keep up."""
    model = projects.model("detector", _network)
    directory = projects.unknown(f"detector_{pixels}")
    reuse = SAMPLES // pixels
    options = ("--input-precision", "fixed<8,1>", "--pixels-per-clock", str(pixels))
    last = ("--set=out.strategy=resource", f"--set=out.reuse_factor={reuse}")
    projects.run("convert", model, *options, *last, "-o", directory)
    projects.run("verify", directory, "--samples", str(VECTORS))
    projects.run("synth", directory, "--target", "xcup")
    return verified(directory) | {"resources": resources(directory)}


def run() -> dict[str, Any]:
    """Measure the network for each number of samples per clock."""
    projects = Projects(BUILD / "pixels", BUILD / "cache")
    return {str(pixels): measure(projects, pixels) for pixels in PER_CLOCK}


if __name__ == "__main__":
    found = run()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    keep("pixels", found)
