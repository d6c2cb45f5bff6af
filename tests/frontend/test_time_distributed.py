"""Layers and models that are applied to each step, against predictions of Keras 2 and 3."""

import json

import numpy as np
import pytest

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.passes import supported
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.record import as_record, of_record
from gatewright.frontend.source import load
from live_models import Layers, agree, predicted, samples, shaken

FIRST_2 = pytest.mark.parametrize("name", ["tf_keras", "keras"])
WIDE = pytest.mark.full
SEQUENCES, IMAGES, ROWS = (3, 6, 2), (3, 5, 4, 2), (2, 3, 4, 2)

#: Layers by what they are applied to.
CASES = {
    "conv": (SEQUENCES, lambda k: k.Conv1D(3, 2)),
    "conv same": (
        SEQUENCES,
        lambda k: k.Conv1D(3, 3, strides=2, padding="same"),
    ),
    "conv causal": (SEQUENCES, lambda k: k.Conv1D(3, 2, dilation_rate=2, padding="causal")),
    "conv strided": (SEQUENCES, lambda k: k.Conv1D(3, 2, strides=2, use_bias=False)),
    "depthwise": (SEQUENCES, lambda k: k.DepthwiseConv1D(2, depth_multiplier=2)),
    "separable": (SEQUENCES, lambda k: k.SeparableConv1D(3, 2)),
    "transposed": (SEQUENCES, lambda k: k.Conv1DTranspose(3, 4, strides=2, padding="same")),
    "max": (SEQUENCES, lambda k: k.MaxPooling1D(2)),
    "mean": (SEQUENCES, lambda k: k.AveragePooling1D(4, strides=4, padding="same")),
    "global max": (SEQUENCES, lambda k: k.GlobalMaxPooling1D()),
    "global mean": (SEQUENCES, lambda k: k.GlobalAveragePooling1D(keepdims=True)),
    "zeros": (SEQUENCES, lambda k: k.ZeroPadding1D((1, 2))),
    "cropping": (SEQUENCES, lambda k: k.Cropping1D((1, 2))),
    "up": (SEQUENCES, lambda k: k.UpSampling1D(3)),
    "flatten": (SEQUENCES, lambda k: k.Flatten()),
    "reshape": (SEQUENCES, lambda k: k.Reshape((4, -1))),
    "permute": (SEQUENCES, lambda k: k.Permute((2, 1))),
    "repeat": ((3, 4), lambda k: k.RepeatVector(2)),
    "slopes": (SEQUENCES, lambda k: k.PReLU()),
    "shared slopes": (SEQUENCES, lambda k: k.PReLU(shared_axes=[1])),
    "normalization": (SEQUENCES, lambda k: k.BatchNormalization()),
    "normalization of an axis": (SEQUENCES, lambda k: k.BatchNormalization(axis=2)),
    "softmax": (SEQUENCES, lambda k: k.Softmax(axis=-1)),
    "dense": (SEQUENCES, lambda k: k.Dense(3, activation="relu")),
    "conv2": (IMAGES, lambda k: k.Conv2D(3, 2)),
    "conv2 same": (IMAGES, lambda k: k.Conv2D(3, (3, 2), padding="same", activation="relu")),
    "conv2 strided": (IMAGES, lambda k: k.Conv2D(3, 2, strides=2)),
    "conv2 same, strided": (IMAGES, lambda k: k.Conv2D(3, 3, strides=2, padding="same")),
    "conv2 wide strides": (IMAGES, lambda k: k.Conv2D(3, 1, strides=(3, 2))),
    "conv2 dilated": (IMAGES, lambda k: k.Conv2D(3, 2, dilation_rate=2)),
    "depthwise2": (IMAGES, lambda k: k.DepthwiseConv2D((2, 3), padding="same")),
    "separable2": (IMAGES, lambda k: k.SeparableConv2D(3, (2, 1))),
    "max2": (IMAGES, lambda k: k.MaxPooling2D(2)),
    "max2 overlapping": (IMAGES, lambda k: k.MaxPooling2D(3, strides=1)),
    "mean2": (IMAGES, lambda k: k.AveragePooling2D((1, 2))),
    "global max2": (IMAGES, lambda k: k.GlobalMaxPooling2D()),
    "global mean2": (IMAGES, lambda k: k.GlobalAveragePooling2D()),
    "zeros2": (IMAGES, lambda k: k.ZeroPadding2D(((1, 0), (0, 2)))),
    "cropping2": (IMAGES, lambda k: k.Cropping2D(((1, 2), (0, 1)))),
    "up2": (IMAGES, lambda k: k.UpSampling2D((2, 3))),
    "flatten2": (IMAGES, lambda k: k.Flatten()),
    "twice": (ROWS, lambda k: k.TimeDistributed(k.Conv1D(3, 2))),
    "twice flat": (ROWS, lambda k: k.TimeDistributed(k.Flatten())),
}
FAST = ("conv causal", "conv2 same, strided", "max2", "twice")


def distributed(name, shape, make):
    """A model with a layer that is applied to each step."""
    keras = pytest.importorskip(name)
    k = Layers(keras) if name == "tf_keras" else keras.layers
    x = keras.Input(shape)
    y = k.TimeDistributed(make(k), name="each")(x)
    return shaken(keras.Model(x, y))


def equal_once_reworded(network, shape):
    """Check that the layers that hls4ml is given compute what the network does."""
    values = samples(*shape)
    (expected,) = predicted(network, values)
    for io in ("parallel", "stream"):
        reworded = supported(network, io)
        assert not any(layer.over for layer in reworded.layers)
        (found,) = predicted(reworded, values)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@FIRST_2
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in FAST else WIDE) for case in CASES]
)
def test_layers_of_each_step(keras, name, case, tmp_path):
    shape, make = CASES[case]
    model = distributed(name, shape, make)
    network = agree(model, tmp_path, samples(*shape), formats=(".h5", ".keras"))
    equal_once_reworded(network, shape)


def of_frames(k, *, functional=False):
    """A model of one image."""
    layers = k.layers
    parts = [
        layers.Conv2D(3, 2, name="conv"),
        layers.ReLU(name="act"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Flatten(name="flat"),
        layers.Dense(4, name="dense"),
    ]
    if not functional:
        return k.Sequential([k.Input(IMAGES[1:]), *parts], name="frame")
    y = x = k.Input(IMAGES[1:])
    for each in parts[:2]:
        y = each(y)
    y = layers.Add(name="sum")([y, layers.Conv2D(3, 2, name="other")(x)])
    for each in parts[2:]:
        y = each(y)
    return k.Model(x, y, name="frame")


@FIRST_2
@pytest.mark.parametrize("functional", [False, pytest.param(True, marks=WIDE)])
def test_a_model_of_each_step(keras, name, functional, tmp_path):
    k = pytest.importorskip(name)
    x = k.Input(IMAGES)
    y = k.layers.TimeDistributed(of_frames(k, functional=functional), name="frames")(x)
    model = shaken(k.Model(x, k.layers.LSTM(2, name="lstm")(y)))
    network = agree(model, tmp_path, samples(*IMAGES), formats=(".h5", ".keras"))
    equal_once_reworded(network, IMAGES)


def test_a_record_keeps_what_is_applied_to_each_step(keras):
    network = load(distributed("tf_keras", *CASES["twice"]))
    again = of_record(*as_record(network), "record")
    assert [layer.over for layer in again.layers] == [0, 2]
    assert [layer.name for layer in again.layers] == [layer.name for layer in network.layers]
    values = samples(*ROWS)
    np.testing.assert_array_equal(predicted(again, values), predicted(network, values))


@pytest.mark.parametrize(
    ("shape", "make", "reason"),
    [
        (SEQUENCES, lambda k: k.LSTM(2, name="rnn"), "layer 'rnn' is a TimeDistributed LSTM"),
        (
            SEQUENCES,
            lambda k: k.Bidirectional(k.LSTM(2), name="both"),
            "layer 'both': is a Bidirectional in a TimeDistributed",
        ),
        (
            IMAGES,
            lambda k: k.MaxPooling2D(2, padding="same", name="pool"),
            "windows reach over the edges; use padding='valid'",
        ),
        (
            IMAGES,
            lambda k: k.UpSampling2D(2, interpolation="bilinear", name="up"),
            "interpolates; use nearest",
        ),
        (
            IMAGES,
            lambda k: k.Conv2DTranspose(2, 2, name="turned"),
            "layer 'turned' is a TimeDistributed Conv2DTranspose, which is not supported",
        ),
        (
            IMAGES,
            lambda k: k.GlobalMaxPooling2D(data_format="channels_first", name="peak"),
            "with channels_first; use channels_last",
        ),
    ],
)
def test_what_has_no_form_is_refused_by_name(keras, shape, make, reason):
    with pytest.raises(UnsupportedError, match=reason):
        supported(load(distributed("tf_keras", shape, make)))


def test_operations_within_are_refused_by_name(keras):
    x = keras.Input(IMAGES[1:])
    inner = keras.Model(x, x[:, :2], name="frame")
    y = keras.layers.TimeDistributed(inner)(whole := keras.Input(IMAGES))
    with pytest.raises(UnsupportedError, match="in a TimeDistributed, which is not supported"):
        load(keras.Model(whole, y))


def test_files_cannot_say_how_deep_by_themselves(keras):
    """What is applied to each step is known from the wrappers alone."""
    architecture = json.loads(distributed("tf_keras", *CASES["conv"]).to_json())
    architecture["config"]["layers"][1]["config"]["layer"]["config"]["over"] = 3
    with pytest.raises(InputError, match="over"):
        read_outline("m.json", architecture)
