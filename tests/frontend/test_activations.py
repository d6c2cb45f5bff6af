"""Activations by name mean what they mean in the version of Keras that wrote the model."""

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import InputError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert, load
from gatewright.frontend.kinds import ACTIVATIONS
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from live_models import predicted

#: What the steps of a table of 1,024 entries over 16 make of the steepest and the flattest of them.
CLOSE = 0.015


@pytest.mark.parametrize("io", ["parallel", "stream"])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "swish", "hard_swish"])
def test_an_activation_is_that_of_its_version_of_keras(k, activation, io, tmp_path):
    x = inputs = k.layers.Input((2, 4), name="x")
    try:
        alone = k.layers.Activation(activation, name="alone")(x)
        inside = k.layers.Dense(4, activation=activation, kernel_initializer="ones")(x)
    except (TypeError, ValueError):
        pytest.skip("Keras has none of this name")
    if activation == "linear":
        alone = k.layers.Activation("relu")(alone)
    model = k.Model(inputs, [alone, inside])
    values = np.random.default_rng(0).integers(-128, 129, (50, 2, 4)) / 64
    expected = model.predict(values, verbose=0)
    network = load(model)
    for judged, theirs in zip(predicted(network, values), expected, strict=True):
        np.testing.assert_allclose(judged, theirs, atol=1e-5)
    design = lower(
        convert(network, None, ConvertOptions(io=io, input_precision="fixed<10,3>"), tmp_path)
    )
    raw = golden.run(design, [from_float(values, design.inputs[0].type)])
    for tensor, theirs in zip(design.outputs, expected, strict=True):
        ours = to_float(raw[tensor.name], tensor.type.frac).reshape(theirs.shape)
        np.testing.assert_allclose(ours, theirs, atol=CLOSE)


@pytest.mark.parametrize("activation", ["gelu", "mish", "exponential"])
def test_one_that_hls4ml_lacks_is_refused_by_name(k, activation):
    x = k.layers.Input((4,))
    try:
        model = k.Model(x, k.layers.Dense(2, activation=activation, name="fc")(x))
    except ValueError:
        pytest.skip("Keras has none of this name")
    with pytest.raises(InputError, match=f"layer 'fc': .*'{activation}'"):
        load(model)
