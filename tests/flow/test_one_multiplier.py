"""Layers of images on a single multiplier, in io_parallel, against hls4ml's C++."""

from __future__ import annotations

import numpy as np

from gatewright.flow.convert import convert
from gatewright.flow.verify import verify
from gatewright.options import ConvertOptions


def test_a_multiplier_for_several_results(tmp_path):
    """hls4ml's own C++ adds all products to the first result then."""
    from gatewright.frontend.quiet import import_keras

    keras = import_keras("tf_keras")
    layers = keras.layers
    row, image = keras.Input((4, 2)), keras.Input((3, 3, 2))
    model = keras.Model(
        [row, image],
        [
            layers.Dense(3, name="rows")(row),
            layers.Conv1D(2, 2, name="line")(row),
            layers.Conv2D(2, 2, name="image")(image),
            layers.Conv2D(3, 1, name="points")(image),
        ],
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(-1, 1, each.shape) for each in model.get_weights()])
    options = ConvertOptions(
        io="parallel", strategy="resource", reuse_factor=1000, input_precision="fixed<6,1>"
    )
    convert(model, None, options, tmp_path, name="single")
    results = verify(tmp_path, samples=10, fidelity=False).results
    assert results.verification.first_difference is None
    assert results.mismatches == results.emulation_mismatches == 0
