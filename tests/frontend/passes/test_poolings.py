"""Poolings of any windows and strides, padded or not, and bilinear up-sampling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import UnsupportedError
from gatewright.frontend import convert
from gatewright.options import ConvertOptions

PADDINGS = st.sampled_from(["same", "valid"])
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=25, deadline=None)
@given(PAIRS, PAIRS, PAIRS, PADDINGS)
def test_maxima_are_those_of_keras(keras, agrees, size, window, strides, padding):
    shape = (size[0] + 3, size[1] + 3, 2)
    layer = keras.layers.MaxPooling2D(window, strides, padding)
    network = agrees(layer, shape, "stream")
    for each in network.layers:
        if each.kind == "MaxPooling2D":
            assert each.arguments["padding"] == "valid"
            assert each.arguments["strides"] in (None, each.arguments["pool_size"])


@settings(max_examples=25, deadline=None)
@given(PAIRS, PAIRS, PAIRS, PADDINGS)
def test_means_are_those_of_keras(keras, agrees, size, window, strides, padding):
    shape = (size[0] + 3, size[1] + 3, 2)
    agrees(keras.layers.AveragePooling2D(window, strides, padding), shape, "stream")


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5))
def test_padded_means_of_rows_are_poolings_of_whole_windows(keras, agrees, size, window):
    network = agrees(keras.layers.AveragePooling1D(window, padding="same"), (size, 2), "stream")
    pooled = [each for each in network.layers if each.kind == "AveragePooling1D"]
    assert all(each.arguments["padding"] == "valid" for each in pooled)


@settings(max_examples=15, deadline=None)
@given(PAIRS, st.tuples(*(st.sampled_from([1, 2, 4, 8]),) * 2))
def test_bilinear_up_sampling_by_powers_of_two(keras, agrees, size, factors):
    layer = keras.layers.UpSampling2D(factors, interpolation="bilinear")
    network = agrees(layer, (*size, 2))
    assert all(each.arguments.get("interpolation") != "bilinear" for each in network.layers)


def test_weights_that_are_not_exact_are_refused(keras):
    x = keras.Input((2, 2, 1))
    model = keras.Model(x, keras.layers.UpSampling2D(3, interpolation="bilinear", name="up")(x))
    with pytest.raises(UnsupportedError, match=r"layer 'up' .*bilinear"):
        convert(model)
    x = keras.Input((5, 5, 1))
    model = keras.Model(x, keras.layers.AveragePooling2D(3, 2, name="mean")(x))
    with pytest.raises(UnsupportedError, match=r"layer 'mean'.*use io_parallel"):
        convert(model, None, ConvertOptions(io="stream"))
    convert(model, None, ConvertOptions(io="parallel"))
