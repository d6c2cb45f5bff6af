"""Layers of the zoo's models: the float and the quantized ones have the same weights."""

import numpy as np
import pytest

from gatewright.frontend.quiet import import_keras, quiet
from gatewright.zoo import LayerBits
from gatewright.zoo.layers import Layers

BITS = {"a": LayerBits(weights=3, activations=4)}


@pytest.fixture(scope="module", autouse=True)
def keras():
    with quiet():
        return import_keras("tf_keras")


def made(bits):
    return Layers(bits, relu_integer=2, l1=0.5)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda layers: layers.dense("a", 5), (2, 6)),
        (lambda layers: layers.conv1d("a", 5, 3, padding="same"), (2, 7, 4)),
        (lambda layers: layers.conv2d("a", 5, 3, strides=2), (2, 7, 6, 3)),
        (lambda layers: layers.depthwise2d("a", 3, padding="same"), (2, 7, 6, 3)),
    ],
)
def test_a_quantized_layer_is_the_float_one_on_a_grid(make, shape):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, shape).astype(np.float32)
    plain, quantized = make(made(None)), make(made(BITS))
    assert plain(x).shape == quantized(x).shape
    assert plain.name == quantized.name == "a"
    # Weights of 3 bits are multiples of a quarter from -1 to 0.75.
    weights = [rng.integers(-4, 4, w.shape) / 4 for w in plain.get_weights()]
    plain.set_weights(weights)
    quantized.set_weights(weights)
    np.testing.assert_allclose(quantized(x), plain(x), atol=1e-6)
    quantized.set_weights([np.clip(w * 5 + 0.04, -9, 9) for w in weights])
    plain.set_weights([np.clip(np.rint((w * 5 + 0.04) * 4), -4, 3) / 4 for w in weights])
    np.testing.assert_allclose(quantized(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("bits", [None, BITS])
def test_l1_pulls_at_the_weights_alone(bits):
    layer = made(bits).dense("a", 2)
    layer.build((None, 3))
    layer.set_weights([np.full((3, 2), 0.5), np.full(2, 0.25)])
    assert float(sum(layer.losses)) == pytest.approx(0.5 * 6 * 0.5)


def test_activations_have_the_bits_of_their_layer():
    x = np.linspace(-5, 5, 1001, dtype=np.float32)
    relu = made(BITS).relu("a")
    assert relu.name == "a_relu"
    assert sorted(set(np.asarray(relu(x)))) == [step / 4 for step in range(16)]
    # Two bits leave one integer bit, not two.
    narrow = made({"a": LayerBits(weights=2, activations=2)}).relu("a")
    assert sorted(set(np.asarray(narrow(x)))) == [0, 0.5, 1, 1.5]
    tanh = np.asarray(made(BITS).tanh("a")(x))
    assert set(tanh * 8) <= set(range(-8, 8))
    np.testing.assert_array_equal(made(None).relu("a")(x), np.maximum(x, 0))
    np.testing.assert_allclose(made(None).tanh("a")(x), np.tanh(x), atol=1e-6)
