"""Layers on other axes than hls4ml's, and reshapes."""

import itertools
import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.passes import supported

IO = ("parallel", "stream")
SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.data())
def test_batch_normalization_of_any_axes(keras, agrees, shape, data):
    axes = st.lists(st.integers(1, len(shape)), min_size=1, max_size=len(shape), unique=True)
    over = data.draw(axes)
    negative = len(over) == 1 and data.draw(st.booleans())
    axis = over[0] - len(shape) - 1 if negative else over if len(over) > 1 else over[0]
    network = agrees(keras.layers.BatchNormalization(axis=axis), tuple(shape))
    (made,) = [each for each in network.layers if each.kind == "BatchNormalization"]
    assert made.arguments["axis"] in ((-1,), (len(shape),))


@settings(max_examples=15, deadline=None)
@given(SHAPES, SHAPES.map(math.prod), st.sampled_from(IO))
def test_reshapes_with_an_open_size(keras, agrees, shape, known, io):
    count = math.prod(shape)
    rest = math.gcd(count, known)
    network = agrees(keras.layers.Reshape((rest, -1)), tuple(shape), io)
    assert network.layers[-1].arguments["target_shape"] == (rest, count // rest)
    shapes = [each.arguments["target_shape"] for each in network.layers if each.kind == "Reshape"]
    assert all(-1 not in each for each in shapes)
    if io == "stream":
        lanes = [shape[-1], *(each[-1] for each in shapes)]
        assert all(max(pair) % min(pair) == 0 for pair in itertools.pairwise(lanes))


@pytest.mark.parametrize("axes", [[1, 3], [1], [3]])
def test_statistics_of_another_size_are_refused(keras, axes):
    x = keras.Input((2, 3, 2))
    network = load(keras.Model(x, keras.layers.BatchNormalization(axis=axes, name="norm")(x)))
    norm = network.layer("norm")
    weights = MappingProxyType({key: np.ones(7, np.float32) for key in norm.weights})
    spoilt = replace(network, layers=(network.layers[0], replace(norm, weights=weights)))
    with pytest.raises(InputError, match="layer 'norm': weight 'gamma' has 7 numbers"):
        supported(spoilt)


@pytest.mark.parametrize("io", IO)
def test_numbers_without_axes_are_refused(keras, io):
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Reshape((), name="bare")(x))
    with pytest.raises(InputError, match=r"layer 'bare' gives a number .*reshape it to \(1,\)"):
        supported(load(model), io)


def test_permutations_that_move_nothing_go_in_streams(keras):
    """hls4ml's C++ would swap two axes."""
    x = keras.Input((3, 2))
    y = keras.layers.ReLU()(keras.layers.Permute((1, 2))(x))
    network = load(keras.Model(x, y))
    kinds = {io: [each.kind for each in supported(network, io).layers] for io in IO}
    assert [io for io in IO if "Permute" in kinds[io]] == ["parallel"]
