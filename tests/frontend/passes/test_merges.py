"""Merges as Keras means them: elements that are repeated, and any number of tensors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rebuilt import rebuilt

from gatewright.frontend import load
from gatewright.frontend.passes import supported

KINDS = ("Add", "Average", "Maximum", "Minimum", "Multiply")


@st.composite
def shapes(draw):
    """Shapes of two to four tensors that Keras merges: sizes of 1, or what all have."""
    whole = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    count = draw(st.integers(2, 4))
    ones = st.lists(st.booleans(), min_size=len(whole), max_size=len(whole))
    return [
        tuple(1 if one else size for one, size in zip(draw(ones), whole, strict=True))
        for _ in range(count)
    ]


@pytest.mark.parametrize("io", ["parallel", "stream"])
@settings(max_examples=12, deadline=None)
@given(shapes(), st.sampled_from(KINDS), st.integers(0, 2**16))
def test_merges_are_those_of_keras(keras, io, shapes, kind, seed):
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, getattr(keras.layers, kind)()(inputs))
    network = supported(load(model), io)
    assert all(len(layer.inputs) <= 2 for layer in network.layers)
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in shapes]
    found = rebuilt(keras, network)(x).numpy()
    np.testing.assert_allclose(found, model(x).numpy(), rtol=1e-6, atol=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_softmax_runs_over_the_axes_of_keras(keras, shape, data):
    axes = st.integers(1, len(shape))
    over = data.draw(st.lists(axes, min_size=1, max_size=len(shape), unique=True))
    if data.draw(st.booleans()):
        over = [axis - len(shape) - 1 for axis in over]
    x = keras.Input(tuple(shape))
    model = keras.Model(x, keras.layers.Softmax(over if len(over) > 1 else over[0])(x))
    network = supported(load(model))
    values = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    found = rebuilt(keras, network)(values).numpy()
    np.testing.assert_allclose(found, model(values).numpy(), rtol=1e-6, atol=1e-6)
    softmax = [each for each in network.layers if each.arguments.get("activation") == "softmax"]
    assert [each.kind for each in softmax] == ["Activation"]
