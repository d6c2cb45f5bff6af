"""Scales exchanged between layers: the same network, evener weights."""

import numpy as np
import pytest

from compress.models import on_grid, spread
from gatewright.compress.editable_model import read
from gatewright.compress.equalize import equalize, find_groups


def branched(keras):
    """Skip connections, a flattened image, channels by themselves, a curve."""
    k = keras.layers
    inputs = keras.Input((6, 6, 2), name="in")
    x = stem = k.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    x = k.DepthwiseConv2D(3, padding="same", activation="relu", name="deep")(x)
    x = k.ZeroPadding2D(1, name="pad")(x)
    x = k.SeparableConv2D(4, 3, activation="relu", name="separable")(x)
    x = k.ReLU(name="joined")(k.Add(name="add")([stem, x]))
    x = k.AveragePooling2D(2, name="pool")(x)
    x = k.Conv2D(3, 2, name="conv")(x)
    x = k.ReLU(name="act")(x)
    x = k.Flatten(name="flat")(x)
    x = k.Dense(5, activation="tanh", name="bent")(x)
    x = k.Dense(6, activation="relu", use_bias=False, name="hidden")(x)
    x = k.Dense(6, name="more")(x)
    x = k.Dropout(0.5, name="drop")(x)
    return keras.Model(inputs, k.Dense(3, name="logits")(x), name="net")


def test_the_network_stays_the_same(keras):
    model = spread(branched(keras), scale=2)
    network, before = read(model), read(model)
    equalize(network)
    moved = {
        n.name for n in network if n.kernels and (n.weights[0] != before[n.name].weights[0]).any()
    }
    assert moved == {n.name for n in network if n.kernels}
    x = on_grid((50, 6, 6, 2))
    wanted = model.predict(x, verbose=0)
    np.testing.assert_allclose(
        network.build().predict(x, verbose=0), wanted, atol=2e-5 * np.abs(wanted).max()
    )


def test_groups_are_the_tensors_of_one_scale(keras):
    groups = {tuple(sorted(g.writers)): g for g in find_groups(read(branched(keras)))}
    assert set(groups) == {("separable", "stem"), ("deep",), ("conv",), ("hidden",), ("more",)}
    joined = groups["separable", "stem"]
    assert sorted(joined.readers) == ["conv", "deep"]
    assert joined.channels == 4
    assert groups[("conv",)].readers == ["bent"]
    assert "flat" in groups[("conv",)].tensors


def test_ranges_meet_in_the_middle(keras):
    inputs = keras.Input((5,))
    x = keras.layers.Dense(7, activation="relu", name="a")(inputs)
    network = read(spread(keras.Model(inputs, keras.layers.Dense(3, name="b")(x)), scale=3))
    before = np.abs(network["a"].weights[0]).max(0) * np.abs(network["b"].weights[0]).max(1)
    equalize(network)
    written = np.abs(network["a"].weights[0]).max(axis=0)
    read_ = np.abs(network["b"].weights[0]).max(axis=1)
    np.testing.assert_allclose(written, read_, rtol=1e-5)
    np.testing.assert_allclose(written, np.sqrt(before), rtol=1e-5)


def test_any_positive_scales_leave_the_network_the_same(keras):
    model = spread(branched(keras))
    x = on_grid((20, 6, 6, 2))
    wanted = model.predict(x, verbose=0)
    for number, group in enumerate(find_groups(read(model))):
        network = read(model)
        scales = np.random.default_rng(number).uniform(0.1, 9, group.channels)
        group.scale(network, scales)
        got = network.build().predict(x, verbose=0)
        np.testing.assert_allclose(got, wanted, atol=2e-5 * np.abs(wanted).max())


def test_channels_without_weights_stay(keras):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, activation="relu", name="a")(inputs)
    model = spread(keras.Model(inputs, keras.layers.Dense(2, name="b")(x)))
    kernel, bias = model.get_layer("a").get_weights()
    kernel[:, 1] = 0
    model.get_layer("a").set_weights([kernel, bias])
    network = read(model)
    equalize(network)
    assert network["a"].weights[1][1] == bias[1]
    assert all(np.isfinite(weight).all() for node in network for weight in node.weights)


@pytest.mark.parametrize("last", ["relu6", "softmax", "concatenate", "multiply"])
def test_what_binds_a_scale_binds_it(keras, last):
    k = keras.layers
    inputs = keras.Input((3,))
    x = k.Dense(4, name="a")(inputs)
    bound = {
        "relu6": lambda: k.ReLU(6)(x),
        "softmax": lambda: k.Softmax()(x),
        "concatenate": lambda: k.Concatenate()([x, k.Dense(2, name="c")(inputs)]),
        "multiply": lambda: k.Multiply()([x, x]),
    }[last]()
    assert find_groups(read(keras.Model(inputs, k.Dense(2, name="b")(bound)))) == []
    # A tensor that is an output, too, is bound.
    assert find_groups(read(keras.Model(inputs, [x, k.Dense(2, name="d")(x)]))) == []
