"""A sign behind a batch normalization flips where it does in QKeras, at the threshold too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert
from gatewright.frontend.thresholds import least_reaching
from gatewright.lower import lower
from gatewright.options import ConvertOptions


@given(
    st.floats(2.0**-10, 2.0**10, width=32),
    st.floats(-100, 100, width=32),
    st.sampled_from([0.0, 0.25, 0.5]),
    st.integers(-2, 8),
)
def test_the_least_value_that_reaches_a_level(scale, bias, level, frac):
    scale, bias = np.array([scale], np.float32), np.array([bias], np.float32)
    unit = 2.0**-frac
    (raw,) = least_reaching(scale, bias, np.float32(level), unit)
    exact = (level - np.float64(bias[0])) / np.float64(scale[0]) / unit
    assert exact - 1 <= raw <= exact + 2

    def result(raw):
        return np.float32(raw * unit) * scale[0] + bias[0]

    if abs(exact) < 2**20:  # of which float32 tells neighbours apart
        assert result(raw) >= np.float32(level) or raw > exact
        assert result(raw - 1) < np.float32(level) or raw - 1 < exact


def network(keras, activation, gamma):
    """Binary weights, a normalization whose thresholds lie on values that occur, an activation."""
    import qkeras

    k = keras.layers
    x = inputs = keras.Input((6,), name="x")
    binary = {"kernel_quantizer": qkeras.binary(alpha=1), "use_bias": False}
    x = qkeras.QDense(40, **binary, name="fc1")(x)
    x = k.BatchNormalization(epsilon=0, name="norm")(x)
    x = qkeras.QActivation(activation, name="sign")(x)
    middle = keras.Model(inputs, x)
    model = keras.Model(inputs, qkeras.QDense(3, **binary, name="fc2")(x))
    rng = np.random.default_rng(2)
    for layer in model.layers:
        shapes = [array.shape for array in layer.get_weights()]
        if layer.name == "norm":
            # Means on the sums' grid and off it; at half of them the result is zero exactly.
            means = rng.integers(-20, 20, 40) / 8 + rng.choice([0, 1 / 32], 40)
            gammas = gamma * rng.choice([0.5, 1, 2], 40)
            layer.set_weights([gammas, np.zeros(40), means, rng.choice([0.25, 1, 4], 40)])
        else:
            layer.set_weights([rng.normal(size=shape) for shape in shapes])
    return model, middle


@pytest.mark.parametrize(
    ("activation", "gamma"),
    [("binary(alpha=1)", 1), ("binary(alpha=1)", -1), ("ternary(alpha=1,threshold=0.5)", 1)],
)
def test_no_sign_flips(keras, activation, gamma, tmp_path):
    model, middle = network(keras, activation, gamma)
    graph = convert(model, None, ConvertOptions(input_precision="fixed<6,3>"), tmp_path)
    design = lower(graph)
    words = np.random.default_rng(0).integers(-32, 32, (3000, 6))
    x = to_float(words, 3).astype(np.float32)
    values = golden.run(design, [from_float(x, design.inputs[0].type)])
    (last,) = (kernel for kernel in design.kernels if kernel.layer == "fc2")
    signs = last.inputs[0]
    got = values[signs.name]
    got = 2 * got - 1 if signs.type.width == 1 else got
    known = ~undecided(keras, model, 0.5 if activation.startswith("ternary") else 0.0, x)
    assert known.mean() > 0.95
    np.testing.assert_array_equal(got[known], middle.predict(x, verbose=0)[known])
    got = to_float(values[last.output.name], last.output.type.frac)
    rows = known.all(axis=1)
    assert rows.mean() > 0.5
    np.testing.assert_array_equal(got[rows], model.predict(x, verbose=0)[rows])


def undecided(keras, model, level, x):
    """Which elements lie on a threshold where TensorFlow's normalization is not exact.

    With AVX-512, TensorFlow's reciprocal square roots differ from the true ones in the last bits,
    even of 1; so of values on a threshold this machine has an opinion of its own.
    """
    import tensorflow as tf

    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    roots = np.asarray(tf.math.rsqrt(variance))
    sums = keras.Model(model.inputs, model.get_layer("fc1").output).predict(x, verbose=0)
    exact = gamma.astype(float) * (sums - mean) / np.sqrt(variance) + beta
    return (np.abs(np.abs(exact) - level) < 1e-5) & (roots * np.sqrt(variance) != 1)


def test_a_falling_ternary_activation_is_refused(keras, tmp_path):
    model, _ = network(keras, "ternary(alpha=1)", -1)
    with pytest.raises(UnsupportedError, match=r"'sign': .*negate gamma, mean and the weights"):
        convert(model, None, None, tmp_path)
    norm, before = model.get_layer("norm"), model.get_layer("fc1")
    gamma, beta, mean, variance = norm.get_weights()
    # The way out that the message names.
    norm.set_weights([-gamma, beta, -mean, variance])
    before.set_weights([-before.get_weights()[0]])
    convert(model, None, None, tmp_path)
