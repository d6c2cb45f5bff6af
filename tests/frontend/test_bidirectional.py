"""Recurrent layers that run both ways, or backwards, against predictions of Keras 2 and 3."""

import importlib
import json

import numpy as np
import pytest
from rebuilt import rebuilt

from gatewright.compress.model_files import load_model
from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.passes import supported
from gatewright.frontend.readers.architecture import read_outline
from live_models import agree, predicted, samples, shaken

#: Tests of both versions of Keras, of which `make test` runs one.
FIRST_2 = pytest.mark.parametrize(
    "name", ["tf_keras", pytest.param("keras", marks=pytest.mark.full)]
)
FIRST_3 = pytest.mark.parametrize(
    "name", [pytest.param("tf_keras", marks=pytest.mark.full), "keras"]
)


def model_of(name, *layers, shape=(5, 3)):
    keras = importlib.import_module(name)
    made = [make(keras.layers) for make in layers]
    return shaken(keras.Sequential([keras.Input(shape), *made]))


def both(kind="LSTM", **given):
    sequences = given.pop("return_sequences", False)
    return lambda k: k.Bidirectional(
        getattr(k, kind)(2, return_sequences=sequences), name="both", **given
    )


def equal_once_reworded(keras, network, shape=(5, 3)):
    """Check that the layers that hls4ml is given compute what the network does."""
    values = samples(*shape)
    for io in ("parallel", "stream"):
        found = rebuilt(keras, supported(network, io)).predict(values, verbose=0)
        np.testing.assert_allclose(found, predicted(network, values)[0], rtol=1e-5, atol=1e-6)


@FIRST_3
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("LSTM", "concat"),
        pytest.param("GRU", "sum", marks=pytest.mark.full),
        pytest.param("LSTM", "ave", marks=pytest.mark.full),
        pytest.param("GRU", "mul", marks=pytest.mark.full),
        pytest.param("SimpleRNN", "concat", marks=pytest.mark.full),
    ],
)
def test_both_ways(keras, name, kind, mode, tmp_path):
    first = both(kind, return_sequences=True, merge_mode=mode)
    model = model_of(name, first, lambda k: k.Bidirectional(getattr(k, kind)(3), merge_mode=mode))
    formats = () if mode == "concat" else (".keras",)
    network = agree(model, tmp_path, samples(5, 3), formats=formats)
    equal_once_reworded(keras, network)


@FIRST_2
@pytest.mark.parametrize("sequences", [pytest.param(False, marks=pytest.mark.full), True])
def test_another_layer_backwards(keras, name, sequences, tmp_path):
    def make(k):
        layers = [
            k.LSTM(2, return_sequences=sequences, name="there"),
            k.GRU(2, return_sequences=sequences, go_backwards=True, name="back"),
        ]
        return k.Bidirectional(layers[0], backward_layer=layers[1])

    network = agree(model_of(name, make), tmp_path, samples(5, 3), formats=(".h5", ".keras"))
    equal_once_reworded(keras, network)


@FIRST_3
@pytest.mark.parametrize(
    ("kind", "sequences"), [("LSTM", True), pytest.param("GRU", False, marks=pytest.mark.full)]
)
def test_backwards_only(keras, name, kind, sequences, tmp_path):
    def make(k):
        return getattr(k, kind)(2, go_backwards=True, return_sequences=sequences)

    network = agree(model_of(name, make), tmp_path, samples(5, 3), formats=(".h5", ".keras"))
    equal_once_reworded(keras, network)
    assert any("runs backwards" in note for note in supported(network).notes)


def test_two_results(keras, tmp_path):
    x = keras.Input((5, 3))
    there, back = keras.layers.Bidirectional(
        keras.layers.LSTM(2, return_sequences=True), merge_mode=None
    )(x)
    model = shaken(keras.Model(x, keras.layers.Subtract()([there, back])))
    equal_once_reworded(keras, agree(model, tmp_path, samples(5, 3)))


def test_quantized_weights_of_both(keras):
    import qkeras

    bits = "quantized_bits(4,0,alpha=1)"
    x = keras.Input((5, 3))
    y = keras.layers.Bidirectional(
        qkeras.QLSTM(2, activation="tanh", recurrent_activation="sigmoid", kernel_quantizer=bits,
                     recurrent_quantizer=bits, bias_quantizer=bits)
    )(x)  # fmt: skip
    network = supported(load(keras.Model(x, y)))
    assert [layer.kind for layer in network.layers].count("LSTM") == 2
    assert all(layer.types for layer in network.layers if layer.kind == "LSTM")


def test_quantize_says_that_it_cannot(keras, tmp_path):
    path = tmp_path / "m.h5"
    model_of("tf_keras", both(return_sequences=True)).save(path)
    with pytest.raises(UnsupportedError, match="Bidirectional layers of sequences can't be"):
        load_model(path)


def changed(keras, **config):
    """The architecture of a model with a layer that runs both ways, its settings changed."""
    architecture = json.loads(model_of("tf_keras", both()).to_json())
    architecture["config"]["layers"][-1]["config"].update(config)
    return architecture


@pytest.mark.parametrize(
    ("config", "error", "reason"),
    [
        ({"merge_mode": "max"}, InputError, "merge_mode must be one of concat, sum, ave, mul or"),
        ({"merge_mode": [1]}, InputError, "merge_mode must be one of concat, sum, ave, mul or"),
        ({"backward_layer": 3}, InputError, "holds a layer without a class"),
        (
            {"layer": {"class_name": "Dense", "config": {"name": "d", "units": 3}}},
            UnsupportedError,
            "is a Bidirectional Dense; only SimpleRNN, LSTM and GRU are supported",
        ),
    ],
)
def test_what_is_refused(keras, config, error, reason):
    with pytest.raises(error, match=reason):
        read_outline("m", changed(keras, **config))


def test_two_ways_that_are_one(keras):
    architecture = changed(keras)
    config = architecture["config"]["layers"][-1]["config"]
    config["backward_layer"] = config["layer"]
    with pytest.raises(InputError, match="layer 'both': its two layers have the same go_backwards"):
        read_outline("m", architecture)


def test_a_strangers_reverse_is_another_class(keras):
    architecture = json.loads(model_of("tf_keras", lambda k: k.ReLU()).to_json())
    architecture["config"]["layers"][-1].update(class_name="Custom>Reverse")
    with pytest.raises(InputError, match="is of class Reverse, which is not supported"):
        read_outline("m", architecture)


def test_too_many_steps(keras):
    network = load(model_of("tf_keras", both(), shape=(1025, 1)))
    with pytest.raises(UnsupportedError, match="reverses 1025 steps; at most 1024"):
        supported(network)
