"""Models under test, and what Gatewright makes of them."""

from __future__ import annotations

import numpy as np

from gatewright.compress.bits import LayerBits
from gatewright.design import golden
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert
from gatewright.lower import lower
from gatewright.options import ConvertOptions

GRID = "fixed<8,3>"


def on_grid(shape, seed=0):
    """Random inputs that `GRID` holds."""
    return (np.random.default_rng(seed).integers(-128, 128, shape) / 32).astype(np.float32)


def bits(weights, activations=None, **other):
    """Bits of a layer; one number stands for weights and activations."""
    return LayerBits(weights=weights, activations=activations or weights, **other)


def golden_outputs(model, x, precision=GRID):
    """The outputs of the hardware that a model becomes, by the golden model."""
    design = lower(convert(model, options=ConvertOptions(input_precision=precision)))
    values = golden.run(design, [from_float(x, design.inputs[0].type)])
    output = design.outputs[0]
    return to_float(values[output.name], output.type.frac)


def spread(model, scale=1.0, seed=0):
    """Give a model weights that are neither small nor even, statistics and biases too."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = []
        for weight in layer.weights:
            shape = weight.shape
            if "variance" in weight.name:
                weights.append(rng.uniform(0.2, 3, shape))
            else:
                weights.append(rng.normal(0, scale / np.sqrt(np.prod(shape[:-1]) or 1), shape))
        if weights:
            layer.set_weights(weights)
    return model
