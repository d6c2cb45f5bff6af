"""Transposed convolutions as convolutions, against predictions of Keras 2 and 3."""

import importlib
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rebuilt import rebuilt

from gatewright.errors import UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.passes import supported
from gatewright.frontend.quantized import quantize
from gatewright.frontend.quantizers import read_quantizer
from live_models import agree, samples, shaken

NAMES = pytest.mark.parametrize("name", ["tf_keras", "keras"])


@st.composite
def layers(draw, axes):
    """The shape of an input, and the arguments of a transposed convolution."""

    def many(low, high):
        return [draw(st.integers(low, high)) for _ in range(axes)]

    arguments = {
        "filters": draw(st.integers(1, 3)),
        "kernel_size": many(1, 4),
        "strides": many(1, 3),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(["linear", "relu", "softmax"])),
    }
    if draw(st.booleans()):
        arguments["output_padding"] = [draw(st.integers(0, s - 1)) for s in arguments["strides"]]
    elif set(arguments["strides"]) == {1}:
        arguments["dilation_rate"] = draw(st.integers(1, 2))
    return (*many(1, 4), draw(st.integers(1, 2))), arguments


def equal(keras, name, kind, shape, arguments):
    """Check that what hls4ml is given computes what Keras does."""
    import tensorflow as tf

    theirs = importlib.import_module(name)
    try:
        x = theirs.Input(shape)
        model = shaken(theirs.Model(x, getattr(theirs.layers, kind)(**arguments)(x)))
        values = samples(*shape)
        expected = np.asarray(model(values))
    except tf.errors.AbortedError:  # oneDNN has no kernel for some strides beyond the window
        assume(False)
    network = supported(load(model))
    assert not any("Transpose" in layer.kind for layer in network.layers)
    found = rebuilt(keras, network)(values).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@NAMES
@settings(max_examples=15, deadline=None)
@given(case=layers(1))
def test_sequences(keras, name, case):
    equal(keras, name, "Conv1DTranspose", *case)


@NAMES
@settings(max_examples=15, deadline=None)
@given(case=layers(2))
def test_images(keras, name, case):
    equal(keras, name, "Conv2DTranspose", *case)


@NAMES
def test_files_of_all_kinds(name, tmp_path):
    theirs = importlib.import_module(name)
    x = theirs.Input((3, 4, 2))
    y = theirs.layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    y = theirs.layers.Reshape((6, 24))(y)
    y = theirs.layers.Conv1DTranspose(2, 2, strides=2)(y)
    network = agree(shaken(theirs.Model(x, y)), tmp_path, samples(3, 4, 2))
    assert any("2 times the filters" in note for note in supported(network).notes)


def quantized(keras, quantizer):
    """A network with a layer of QKeras, which this TensorFlow can't run, and Keras' own layer."""
    x = keras.Input((3, 3, 2))
    layer = keras.layers.Conv2DTranspose(2, 2, strides=2)
    model = shaken(keras.Model(x, layer(x)))
    network = load(model)
    *others, last = network.layers
    both = dict.fromkeys(("kernel_quantizer", "bias_quantizer"), read_quantizer(quantizer))
    given = MappingProxyType({**last.arguments, **both})
    last = replace(last, kind="QConv2DTranspose", arguments=given)
    return replace(network, layers=(*others, last)), model


def test_quantized_weights(keras):
    bits = "quantized_bits(4,0,alpha=1)"
    network, model = quantized(keras, bits)
    model.set_weights([quantize(read_quantizer(bits), each).values for each in model.get_weights()])
    network = supported(network)
    (layer,) = (each for each in network.layers if each.kind == "Conv2D")
    assert set(layer.types) == {"weight", "bias"}
    assert all(to.width <= 4 for to in layer.types.values())
    values = samples(3, 3, 2)
    np.testing.assert_allclose(rebuilt(keras, network)(values), model(values), rtol=1e-5, atol=1e-5)


def test_weights_that_no_type_holds(keras):
    network, _ = quantized(keras, "quantized_bits(4,0,alpha='auto')")
    *others, last = network.layers
    tiny = {name: array * np.float32(1e-7) for name, array in last.weights.items()}
    network = replace(network, layers=(*others, replace(last, weights=MappingProxyType(tiny))))
    with pytest.raises(UnsupportedError, match="kernel_quantizer gives values that need"):
        supported(network)


def test_a_kernel_that_reaches_too_far(keras):
    x = keras.Input((4, 1))
    layer = keras.layers.Conv1DTranspose(1, 2, padding="same", dilation_rate=2000)
    with pytest.raises(UnsupportedError, match="its kernel reaches over 2001 pixels; at most 1024"):
        supported(load(keras.Model(x, layer(x))))
