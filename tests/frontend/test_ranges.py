"""Intervals of tensors: no prediction of Keras leaves them, and the ends are reached."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.frontend import convert
from gatewright.frontend.folding import owner
from gatewright.frontend.ranges import Interval, find, type_interval
from gatewright.hlsgraph import fixed_type
from gatewright.options import ConvertOptions


def inputs_only(node, free):
    """As if no layer had a type, so that Keras' own numbers are meant."""
    is_input = node.class_name == "Input"
    return fixed_type(node.get_output_variable().type.precision) if is_input else None


def randomized(model, seed):
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            positive = "variance" in variable.name
            values.append(
                rng.uniform(0.2, 2, value.shape) if positive else rng.normal(0, 0.7, value.shape)
            )
        layer.set_weights(values)
    return model


def image_model(k, keras, seed):
    image, other = keras.Input((6, 6, 2), name="image"), keras.Input((6, 6, 2), name="other")
    x = k.Conv2D(3, 3, padding="same", activation="relu", name="conv")(image)
    x = k.BatchNormalization(name="norm")(x)
    y = k.SeparableConv2D(3, 3, padding="same", name="separable")(other)
    y = k.PReLU(name="prelu")(y)
    y = k.DepthwiseConv2D(3, padding="same", activation="selu", name="depth")(y)
    x = k.Concatenate(name="join")([x, k.Subtract(name="minus")([x, y])])
    x = k.Multiply(name="times")([x, k.LeakyReLU(alpha=0.4, name="leaky")(x)])
    x = k.ZeroPadding2D(1, name="pad")(x)
    x = k.MaxPooling2D(2, name="most")(x)
    x = k.Cropping2D(((0, 1), (1, 0)), name="crop")(x)
    x = k.UpSampling2D(2, name="up")(x)
    x = k.Permute((2, 1, 3), name="turn")(x)
    x = k.AveragePooling2D(2, name="mean")(x)
    flat = k.Flatten(name="flat")(x)
    first = k.Dense(4, activation="elu", name="first")(flat)
    second = k.GlobalAveragePooling2D(name="global")(x)
    second = k.Dense(4, activation="softplus", name="second")(second)
    return randomized(keras.Model([image, other], [first, second]), seed)


def vector_model(k, keras, seed):
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    x = k.Dense(8, name="fc1")(a)
    x = k.BatchNormalization(name="norm1")(x)
    x = k.ELU(alpha=0.7, name="elu")(x)
    y = k.ThresholdedReLU(theta=0.5, name="threshold")(k.Dense(8, name="fc2")(b))
    x = k.Average(name="average")([x, y])
    x = k.Maximum(name="maximum")([k.Add(name="add")([x, y]), k.Minimum(name="minimum")([x, y])])
    pairs = k.Reshape((4, 2), name="pairs")(x)
    z = k.Conv1D(4, 2, padding="causal", activation="softsign", name="conv1")(pairs)
    z = k.GlobalMaxPooling1D(name="top")(z)
    dot = k.Dot(axes=1, name="dot")([x, y])
    out = k.Dense(3, activation="sigmoid", name="fc3")(k.Concatenate(name="cat")([z, x]))
    return randomized(keras.Model([a, b], [out, dot]), seed)


def predicted(keras, model, inputs):
    """Results of all layers by node: a layer's own, and the one behind its activation."""
    found = {}
    names = [layer.name for layer in model.layers]
    every = keras.Model(model.inputs, [layer.output for layer in model.layers])
    for name, values in zip(names, every.predict(inputs, verbose=0), strict=True):
        layer = model.get_layer(name)
        activation = getattr(layer, "activation", None)
        linear = activation is None or activation.__name__ == "linear"
        found[name if linear else f"{name}_{activation.__name__}"] = values
        if layer.__class__.__name__ == "SeparableConv2D":
            found[f"{name}_pointwise"] = found.pop(name)
    return found


@pytest.mark.parametrize("make", [image_model, vector_model])
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_no_prediction_leaves_its_interval(keras, make, io, tmp_path, monkeypatch):
    if make is vector_model and io == "stream":
        pytest.skip("Dot is for io_parallel")
    held = 0
    module = importlib.import_module("gatewright.frontend.model_graph")
    monkeypatch.setattr(module, "freeze_weights", lambda graph: None)
    for seed in (1, 2):
        model = make(keras.layers, keras, seed)
        options = ConvertOptions(io=io, input_precision="fixed<8,2>")
        graph = convert(model, None, options, tmp_path)
        ranges = find(graph, inputs_only)
        free = {owner(node): ranges.free[node.name] for node in graph.get_layers()}
        low, high = type_interval(fixed_type(graph.get_input_variables()[0].type.precision)).whole
        rng = np.random.default_rng(seed)
        shapes = [tensor.shape[1:] for tensor in model.inputs]
        corners = [rng.choice([low, high], (200, *shape)) for shape in shapes]
        inner = [rng.uniform(low, high, (200, *shape)) for shape in shapes]
        inputs = [
            np.concatenate(pair).astype(np.float32) for pair in zip(corners, inner, strict=True)
        ]
        for name, values in predicted(keras, model, inputs).items():
            if name not in free:
                continue
            interval = free[name]
            slack = 1e-4 * (1 + interval.largest)
            if interval.low.ndim and interval.low.size != values.shape[-1]:
                raise AssertionError(f"{name}: {interval.low.size} channels of {values.shape}")
            assert (values >= interval.low - slack).all(), name
            assert (values <= interval.high + slack).all(), name
            held += 1
    assert held >= 2 * 12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5))
def test_the_ends_of_a_dense_layer_are_reached(seed, n_in, n_out):
    from gatewright.frontend.ranges import _product

    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_in, n_out))
    low = rng.uniform(-3, 1, (n_in, 1))
    high = low + rng.uniform(0, 2, (n_in, 1))
    found = _product(weights, Interval(low, high), 0)
    highest = (np.where(weights > 0, high, low) * weights).sum(axis=0)
    lowest = (np.where(weights > 0, low, high) * weights).sum(axis=0)
    np.testing.assert_allclose(found.high, highest, atol=1e-12)
    np.testing.assert_allclose(found.low, lowest, atol=1e-12)
