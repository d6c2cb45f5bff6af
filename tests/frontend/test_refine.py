"""Types from ranges: nothing clips, vanishes, or grows too wide; judged by Keras' predictions."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_models import dense, write_model

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, from_float, to_float
from gatewright.frontend import convert
from gatewright.frontend.precision import fine_type, holds, is_fine
from gatewright.frontend.ranges import Interval, holds_interval, ranged_type
from gatewright.frontend.wide import _mean_needs
from gatewright.hlsgraph import fixed_type
from gatewright.kernels.pooling import Quotient
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from gatewright.tensor import Tensor

DEFAULT = FixedType.parse("fixed<16,6,TRN,SAT>")


def result_type(graph, name):
    return fixed_type(graph.graph[name].get_output_variable().type.precision)


def golden_outputs(graph, x):
    """What the hardware makes of samples, and the samples as it has them."""
    design = lower(graph)
    (tensor,) = design.inputs
    words = from_float(x.reshape(len(x), *tensor.shape), tensor.type)
    values = golden.run(design, [words])
    (output,) = design.outputs
    shape = (len(x), *tensor.shape)
    return (
        to_float(values[output.name], output.type.frac).reshape(len(x), -1),
        to_float(words, tensor.type.frac).reshape(shape).astype(np.float32),
    )


def departure(model, graph, x):
    """The largest difference from Keras, as a part of Keras' largest result; and its agreement."""
    got, seen = golden_outputs(graph, x)
    want = model.predict(seen, verbose=0).reshape(len(x), -1)
    agree = np.mean(got.argmax(-1) == want.argmax(-1))
    return np.abs(got - want).max() / np.abs(want).max(), agree


def uniform(shape, limit=1.0, samples=300):
    return np.random.default_rng(3).uniform(-limit, limit, (samples, *shape)).astype(np.float32)


@given(st.floats(-1e5, 1e5), st.floats(0, 1e5), st.integers(16, 40))
def test_ranged_types_hold_their_interval(low, size, most):
    interval = Interval.of(low, low + size)
    to = ranged_type(interval, DEFAULT, 16, most)
    assert to.width <= most
    assert to.frac >= DEFAULT.frac
    if to.width < most:
        assert holds_interval(to, interval)


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 6), st.integers(-30, 4))
def test_fine_types_hold_weights_and_lose_little(seed, terms, results, exponent):
    rng = np.random.default_rng(seed)
    columns = np.ldexp(rng.normal(size=(terms, results)), exponent)
    to = fine_type(columns, DEFAULT, 2.0**-8)
    assert holds(columns, to)
    assert is_fine(columns, to, 2.0**-8)
    rounded = to_float(from_float(columns, to), to.frac)
    kept = np.abs(columns).sum(axis=0) > 2.0**-8 * np.abs(columns).sum(axis=0).max()
    assert rounded.any(axis=0)[kept].all()


@pytest.mark.parametrize("exponent", [-14, -9, -2])
def test_small_weights_do_not_vanish(keras, exponent, tmp_path):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="fc")])
    kernel = np.random.default_rng(1).normal(size=(8, 4)) * 2.0**exponent
    model.set_weights([kernel, np.full(4, 2.0**exponent / 3)])
    graph = convert(model, None, None, tmp_path)
    difference, _ = departure(model, graph, uniform((8,), 30))
    assert difference < 0.01


def test_small_weights_are_left_where_their_type_is_asked_for(tmp_path):
    layer, weights = dense("fc", 3, 4)
    weights["fc/kernel:0"][:] = np.random.default_rng(1).normal(size=(4, 3)) / 4096
    options = ConvertOptions(precision="fixed<12,4>")
    graph = convert(*write_model(tmp_path, [layer], {"fc": weights}), options)
    assert str(fixed_type(graph.graph["fc"].weights["weight"].type.precision)) == "fixed<12,4>"


@pytest.mark.parametrize("asked", [{"precision": "fixed<12,4>"}, {"preset": "hls4ml"}])
def test_small_weights_that_a_type_loses_are_said_and_kept_as_it_says(asked, tmp_path):
    layer, weights = dense("fc", 3, 4)
    weights["fc/kernel:0"][:] = np.random.default_rng(1).normal(size=(4, 3)) / 4096
    files = write_model(tmp_path, [layer], {"fc": weights})
    lines = []
    convert(*files, ConvertOptions(**asked), notice=lines.append)
    (line,) = [each for each in lines if "is almost lost" in each]
    path, value = re.search(r"--set (\S+)='(\S+)' keeps it", line).groups()
    lines = []
    convert(*files, ConvertOptions(**asked, settings=((path, value),)), notice=lines.append)
    assert not [each for each in lines if "vanishes" in each]


@pytest.mark.parametrize("activation", ["relu", "elu", "selu", "leaky", "prelu", "threshold"])
def test_activations_do_not_clip(keras, activation, tmp_path):
    k = keras.layers
    layers = {
        "leaky": k.LeakyReLU(alpha=0.5),
        "prelu": k.PReLU(alpha_initializer="random_uniform"),
        "threshold": k.ThresholdedReLU(theta=2.0),
    }
    layer = layers.get(activation) or k.Activation(activation)
    model = keras.Sequential([keras.Input((6,)), k.Dense(5, name="fc"), layer])
    rng = np.random.default_rng(5)
    model.get_layer("fc").set_weights([rng.normal(size=(6, 5)) * 8, rng.normal(size=5)])
    graph = convert(model, None, None, tmp_path)
    difference, _ = departure(model, graph, uniform((6,), 31))
    assert difference < 0.01


def test_an_activation_that_is_set_stays(plain):
    path, weights, *_ = plain
    options = ConvertOptions(settings=(("fc1_relu.precision.result", "fixed<8,3>"),))
    assert str(result_type(convert(path, weights, options), "fc1_relu")) == "fixed<8,3>"


def linear_models(keras):
    k = keras.layers
    sequence, image = keras.Input((16, 1)), keras.Input((9, 9, 1))
    return {
        "convolutions": [sequence, *(k.Conv1D(8, 3) for _ in range(6))],
        "pooled": [
            *(image, k.Conv2D(4, 3), k.AveragePooling2D(3), k.Conv2D(4, 2)),
            *(k.Flatten(), k.Dense(8), k.Dense(4)),
        ],
        "global": [image, k.Conv2D(8, 3), k.Conv2D(8, 3), k.GlobalAveragePooling2D(), k.Dense(3)],
        "normalized": [
            layer
            for _ in range(4)
            for layer in (image, k.Conv2D(4, 2), k.BatchNormalization())
            if layer is not image or _ == 0
        ],
        "dense": [keras.Input((6,)), *(k.Dense(6) for _ in range(30))],
    }


@pytest.mark.parametrize("kind", ["convolutions", "pooled", "global", "normalized", "dense"])
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_layers_without_activations_fit(keras, kind, io, tmp_path):
    model = keras.Sequential(linear_models(keras)[kind])
    rng = np.random.default_rng(7)
    for layer in model.layers:
        values = []
        for array in layer.get_weights():
            fan = max(int(np.prod(array.shape[:-1])), 1)
            one_sided = type(layer).__name__ == "BatchNormalization"
            values.append(
                rng.uniform(0.5, 1.5, array.shape)
                if one_sided
                else rng.normal(size=array.shape) / np.sqrt(fan)
            )
        layer.set_weights(values)
    graph = convert(model, None, ConvertOptions(io=io), tmp_path)
    difference, _ = departure(model, graph, uniform(model.input_shape[1:], 4))
    assert difference < 0.02


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 2000))
def test_a_mean_that_is_said_to_fit_can_be_divided(width, pixels):
    class Node:
        class_name = "GlobalPooling1D"

        def get_attr(self, name, default=None):
            return pixels if name == "n_in" else default

    to = FixedType(width, width)
    tensor = Tensor("x", (1,), to)
    fits = _mean_needs(Node(), width) <= 62
    try:
        Quotient("q", (tensor,), tensor, pixels)
    except UnsupportedError:
        assert not fits


@pytest.mark.parametrize("activation", ["elu", "selu", "sigmoid", "softplus", "softsign", "tanh"])
def test_what_two_layers_give_can_be_looked_up(keras, activation):
    layers = [keras.layers.Input((6,)), keras.layers.Dense(5), keras.layers.Dense(4, activation)]
    model = keras.Sequential(layers)
    off, _ = departure(model, convert(model), uniform((6,), 1))
    assert off < 0.05


@pytest.mark.parametrize("merge", ["Multiply", "Dot"])
def test_what_two_layers_give_can_be_multiplied(keras, merge):
    """A normalization that does nothing leaves no type behind that nothing fits."""
    x = keras.Input((6,))
    nothing = keras.layers.BatchNormalization(epsilon=0)(x)
    hidden = keras.layers.Dense(6)(keras.layers.Dense(6)(x))
    merged = getattr(keras.layers, merge)(*([1] if merge == "Dot" else []))
    for read in ([nothing, nothing], [hidden, nothing]):
        model = keras.Model(x, merged(read))
        off, _ = departure(model, convert(model), uniform((6,), 4))
        assert off < 0.01


@pytest.mark.parametrize("layer", ["fc", "dot"])
def test_an_accumulator_that_is_refused_is_right_as_the_refusal_says(keras, layer):
    import qkeras

    x = keras.Input((6,))
    few = qkeras.QActivation("quantized_bits(6, 2, alpha=1)")(keras.layers.Dense(6, name="fc")(x))
    model = keras.Model(x, keras.layers.Dot(1, name="dot")([few, few]))
    saturating = ((f"{layer}.precision.accum", "fixed<12,4,TRN,SAT>"),)
    with pytest.raises(UnsupportedError, match="can saturate in mid-sum") as caught:
        lower(convert(model, options=ConvertOptions(settings=saturating)))
    path, value = re.search(r"set (\S+)='(\S+?)'", str(caught.value)).groups()
    lower(convert(model, options=ConvertOptions(settings=((path, value),))))
