"""Recurrent layers: what hls4ml has, what it lacks, and weights that QKeras quantizes."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from gatewright.errors import UnsupportedError
from gatewright.frontend import convert
from gatewright.frontend.passes import supported
from gatewright.frontend.quantized import quantize
from gatewright.frontend.quantizers import read_quantizer
from gatewright.frontend.source import load
from gatewright.kernels import SimpleRnn
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from live_models import predicted

BITS = "quantized_bits(4, 0, alpha=1)"


def network_of(keras, kind, **given):
    x = keras.Input((4, 3))
    layer = getattr(keras.layers, kind)(2, name="rnn", **given)
    y = layer(x)
    rng = np.random.default_rng(5)
    layer.set_weights([rng.normal(0, 0.5, each.shape) for each in layer.get_weights()])
    return load(keras.Model(x, y))


def changed(network, kind, **arguments):
    """The network with its last layer of another class, and more arguments."""
    *others, last = network.layers
    given = MappingProxyType({**last.arguments, **arguments})
    return replace(network, layers=(*others, replace(last, kind=kind, arguments=given)))


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_weights_are_those_that_qkeras_quantizes(keras, kind):
    network = network_of(keras, kind)
    quantizers = {
        f"{role}_quantizer": read_quantizer(BITS) for role in ("kernel", "recurrent", "bias")
    }
    (layer,) = (
        each
        for each in supported(
            changed(network, f"Q{kind}", **quantizers, state_quantizer=None)
        ).layers
        if each.name == "rnn"
    )
    assert layer.kind == ("GRU" if kind == "SimpleRNN" else kind)
    for name, array in network.layers[-1].weights.items():
        expected = quantize(read_quantizer(BITS), array).values
        found = layer.weights[name]
        if kind == "SimpleRNN":
            found = (found[0] if name == "bias" else found)[..., 4:]
        np.testing.assert_array_equal(found, expected)
    roles = {"weight", "recurrent_weight", "bias"} | (
        {"recurrent_bias"} if layer.kind == "GRU" else set()
    )
    assert set(layer.types) == roles
    # A bias of 1 that opens a gate takes one bit more.
    assert all(to.width <= 4 + (kind == "SimpleRNN") for to in layer.types.values())


@pytest.mark.parametrize("name", ["tf_keras", "keras"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_simple_rnn_becomes_a_gru_that_computes_the_same(name, activation):
    k = pytest.importorskip(name)
    x = k.Input((4, 3))
    y = k.layers.SimpleRNN(2, name="rnn", return_sequences=True, activation=activation)(x)
    model = k.Model(x, y)
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.5, each.shape) for each in model.get_weights()])
    network = supported(load(model))
    assert [layer.kind for layer in network.layers] == ["InputLayer", "GRU"]
    assert network.notes == ("layer 'rnn': a SimpleRNN is built as a GRU whose gates are open",)
    values = rng.normal(size=(20, 4, 3)).astype(np.float32)
    (found,) = predicted(network, values)
    np.testing.assert_allclose(found, model.predict(values, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("units", [1, 3])
def test_a_simple_rnn_has_no_gates_in_hardware(keras, units):
    x = keras.Input((4, 3))
    model = keras.Model(x, keras.layers.SimpleRNN(units, name="rnn")(x))
    (kernel,) = lower(convert(model, None, ConvertOptions(input_precision="fixed<8,3>"))).kernels
    assert isinstance(kernel, SimpleRnn)
    assert kernel.weights.shape == (3, units)
    assert kernel.output.type.integer == 2


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_layer_without_a_bias_gets_one_of_zeros(keras, kind):
    layer = supported(network_of(keras, kind, use_bias=False)).layers[-1]
    assert layer.arguments["use_bias"]
    assert not layer.weights["bias"].any()


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_types_hold_the_state_and_all_sums(keras, kind):
    x = keras.Input((50, 3))
    model = keras.Model(x, getattr(keras.layers, kind)(2, name="rnn")(x))
    (kernel,) = lower(convert(model, None, ConvertOptions(input_precision="fixed<8,3>"))).kernels
    # An LSTM's cell may grow by 1 in each step; a GRU's state never leaves -1 to 1.
    assert kernel.output.type.integer == (7 if kind == "LSTM" else 2)
    sums = np.abs(kernel.recurrent_weights).sum(axis=0) * 2.0**-kernel.recurrent_weight_type.frac
    assert 2.0 ** (kernel.accum.integer - 1) > sums.max()
    products = kernel.inputs[0].type.frac + kernel.weight_type.frac
    assert kernel.accum.frac >= products
    assert kernel.accum.frac >= kernel.output.type.frac + kernel.recurrent_weight_type.frac


@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("SimpleRNN", {"activation": "softsign"}, "relu, sigmoid, tanh, not softsign"),
        ("SimpleRNN", {"stateful": True}, "stateful=True is not supported"),
        ("LSTM", {"stateful": True}, "stateful=True is not supported.*use stateful=False"),
        ("LSTM", {"return_state": True}, "return_state=True is not supported"),
        ("GRU", {"reset_after": False}, "use reset_after=True"),
        ("GRU", {"activation": "softsign"}, "relu, sigmoid, tanh, not softsign"),
        ("LSTM", {"recurrent_activation": "silu"}, "relu, sigmoid, tanh, not silu"),
        (
            "QLSTM",
            {"activation": read_quantizer("quantized_tanh(4)")},
            "relu, sigmoid, tanh, not quantized_tanh",
        ),
        (
            "QLSTM",
            {"state_quantizer": read_quantizer(BITS)},
            "leave state_quantizer out, and set rnn",
        ),
        ("QGRU", {"recurrent_quantizer": None}, "unless recurrent_quantizer is set"),
    ],
)
def test_what_hls4ml_lacks_is_refused_by_name(keras, kind, arguments, reason):
    plain = network_of(keras, kind.removeprefix("Q"))
    nothing = dict.fromkeys(
        (f"{role}_quantizer" for role in ("kernel", "recurrent", "bias", "state")), None
    )
    arguments = {**(nothing if kind.startswith("Q") else {}), **arguments}
    with pytest.raises(UnsupportedError, match=rf"layer 'rnn' \({kind}\): .*{reason}"):
        supported(changed(plain, kind, **arguments))


def test_quantizers_that_draw_at_random_are_refused_by_name(keras):
    drawn = {"kernel_quantizer": read_quantizer("bernoulli()")}
    others = dict.fromkeys(("recurrent_quantizer", "bias_quantizer", "state_quantizer"))
    network = changed(network_of(keras, "LSTM"), "QLSTM", **others, **drawn)
    with pytest.raises(UnsupportedError, match="layer 'rnn': kernel_quantizer bernoulli"):
        supported(network)
