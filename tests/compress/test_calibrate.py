"""Post-training quantization: ranges, and what they do to a network that nobody trains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.models import bits, golden_outputs, on_grid, spread
from gatewright.compress.calibrate import calibrate, fit_integer
from gatewright.compress.quantize import quantize
from gatewright.errors import InputError, UnsupportedError


def image_network(keras, scale=1.0, seed=0):
    """Batch normalizations to fold and one to leave, channels of unlike ranges, a skip."""
    k = keras.layers
    inputs = keras.Input((6, 6, 2), name="in")
    x = k.Conv2D(4, 3, padding="same", name="stem")(inputs)
    x = stem = k.ReLU(name="stem_act")(k.BatchNormalization(name="norm")(x))
    x = k.DepthwiseConv2D(3, padding="same", activation="relu", name="deep")(x)
    x = k.Conv2D(4, 1, name="point")(x)
    x = k.ReLU(name="joined")(k.Add(name="add")([stem, x]))
    x = k.Flatten(name="flat")(k.MaxPooling2D(2, name="pool")(x))
    x = k.Dense(8, activation="relu", name="hidden")(x)
    return spread(keras.Model(inputs, k.Dense(4, name="logits")(x), name="net"), scale, seed)


def error(model, other, x):
    return float(np.square(model.predict(x, verbose=0) - other.predict(x, verbose=0)).mean())


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(2, 9),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 7.0, 100.0]),
    signed=st.booleans(),
    tail=st.booleans(),
)
def test_integer_bits_are_the_best_by_qkeras_own_rounding(keras, seed, width, scale, signed, tail):
    import qkeras

    rng = np.random.default_rng(seed)
    values = (rng.normal(0, 1, 500) * scale).astype(np.float32)
    values[0] *= 20 if tail else 1
    found = fit_integer(values, width, signed=signed)

    def error_of(integer):
        # QKeras has no negative integer bits; the same numbers times a power of two have more.
        up = 2.0**12
        make = (
            (lambda i: qkeras.quantized_bits(width, i, alpha=1))
            if signed
            else (lambda i: qkeras.quantized_relu(width, i))
        )
        return float(
            np.square(np.asarray(make(integer + 12)(values * up), np.float64) / up - values).sum()
        )

    errors = {integer: error_of(integer) for integer in range(-12, 16)}
    assert errors[found] == pytest.approx(min(errors.values()), rel=1e-6)


def test_of_nothing_there_are_no_integer_bits():
    assert fit_integer(np.zeros(4), 6) <= 0


@pytest.mark.parametrize(
    "width", [*(pytest.param(bits, marks=pytest.mark.full) for bits in (8, 6)), 4]
)
def test_measured_ranges_beat_assumed_ones(keras, width):
    plain = image_network(keras, scale=2)
    x, other = on_grid((300, 6, 6, 2), 1), on_grid((300, 6, 6, 2), 2)
    given = {"default": bits(width)}
    measured, assumed = calibrate(plain, given, x), quantize(plain, given)
    power = float(np.square(plain.predict(other, verbose=0)).mean())
    assert error(measured, plain, other) < 0.5 * error(assumed, plain, other)
    assert error(measured, plain, other) < power * {8: 0.01, 6: 0.05, 4: 0.5}[width]


@pytest.mark.parametrize(
    ("weights", "scale"),
    [
        pytest.param(6, 0.4, marks=pytest.mark.full),
        pytest.param(6, 4, marks=pytest.mark.full),
        pytest.param("ternary", 1, marks=pytest.mark.full),
        ("ternary", 4),
        ("po2<4>", 1),
    ],
)
def test_hardware_computes_what_the_calibrated_model_predicts(keras, weights, scale):
    plain = image_network(keras, scale)
    model = calibrate(plain, {"default": bits(weights, 6, biases=8)}, on_grid((200, 6, 6, 2), 1))
    x = on_grid((100, 6, 6, 2), 2)
    predicted = model.predict(x, verbose=0)
    assert len(np.unique(predicted)) > 30
    np.testing.assert_array_equal(golden_outputs(model, x), predicted)


def test_large_and_small_activations_fit_narrow_types(keras):
    """Relus of 4 bits that go to a thousand, or to a thousandth: the weights take the factor."""
    x = on_grid((400, 6), 1)
    for factor in (1e3, 1e-3):
        inputs = keras.Input((6,), name="in")
        h = keras.layers.Dense(16, activation="relu", name="a")(inputs)
        plain = spread(keras.Model(inputs, keras.layers.Dense(3, name="b")(h)))
        kernel, bias = plain.get_layer("a").get_weights()
        plain.get_layer("a").set_weights([kernel * factor, bias * factor])
        kernel, bias = plain.get_layer("b").get_weights()
        plain.get_layer("b").set_weights([kernel / factor, bias])
        model = calibrate(plain, {"default": bits(8, 4)}, x)
        power = float(np.square(plain.predict(x, verbose=0)).mean())
        assert error(model, plain, x) < 0.02 * power
        np.testing.assert_array_equal(golden_outputs(model, x), model.predict(x, verbose=0))


def test_means_are_what_they_are_in_float(keras):
    """Biases take up the mean error that coarse weights make."""
    plain = image_network(keras, 2)
    x = on_grid((500, 6, 6, 2), 1)
    model = calibrate(plain, {"default": bits(3, 8, biases=10)}, x)
    wanted, got = plain.predict(x, verbose=0), model.predict(x, verbose=0)
    spread_of = np.abs(got - wanted).mean(axis=0)
    assert (np.abs((got - wanted).mean(axis=0)) < 0.1 * spread_of).all()


def test_curves_stay_curves(keras):
    inputs = keras.Input((6,), name="in")
    h = keras.layers.Dense(8, activation="tanh", name="a")(inputs)
    h = keras.layers.Dense(8, activation="sigmoid", name="b")(h)
    plain = spread(keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="c")(h)))
    x = on_grid((300, 6))
    model = calibrate(plain, {"default": bits(8)}, x)
    assert error(model, plain, x) < 1e-4
    assert np.abs(golden_outputs(model, x) - model.predict(x, verbose=0)).max() < 0.05


def test_layers_without_bits_stay_float(keras):
    plain = image_network(keras)
    x = on_grid((100, 6, 6, 2), 1)
    model = calibrate(plain, {"hidden": bits(4)}, x)
    assert not hasattr(model.get_layer("stem"), "kernel_quantizer")
    assert model.get_layer("hidden").kernel_quantizer_internal.bits == 4
    np.testing.assert_allclose(
        calibrate(plain, {}, x).predict(x, verbose=0), plain.predict(x, verbose=0), atol=1e-4
    )


def test_the_model_is_left_alone_and_the_result_is_the_same_each_time(keras):
    plain = image_network(keras)
    before = plain.get_weights()
    x = on_grid((100, 6, 6, 2), 1)
    first, second = (calibrate(plain, {"default": bits(5)}, x).get_weights() for _ in range(2))
    for one, other in zip((*before, *first), (*plain.get_weights(), *second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_quantized_again_it_keeps_its_ranges(keras):
    plain = image_network(keras, 0.05)
    x = on_grid((200, 6, 6, 2), 1)
    model = calibrate(plain, {"default": bits(8)}, x)
    same = quantize(model, {"default": bits(8)})
    np.testing.assert_array_equal(same.predict(x, verbose=0), model.predict(x, verbose=0))
    wider = quantize(model, {"default": bits(12)})
    assert error(wider, plain, x) < error(model, plain, x)


def test_several_inputs(keras):
    two = [keras.Input((3,), name=name) for name in "ab"]
    h = keras.layers.Dense(4, activation="relu", name="h")(keras.layers.Concatenate(name="c")(two))
    plain = spread(keras.Model(two, keras.layers.Dense(2, name="o")(h)))
    x = [on_grid((50, 3), seed) for seed in (1, 2)]
    model = calibrate(plain, {"default": bits(10)}, x)
    np.testing.assert_allclose(model.predict(x, verbose=0), plain.predict(x, verbose=0), atol=0.1)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((5, 6, 6, 3)), r"\[5, 6, 6, 3\]; the model takes \[n, 6, 6, 2\]"),
        (np.zeros((0, 6, 6, 2)), r"\[0, 6, 6, 2\]; the model takes"),
        (np.full((1, 6, 6, 2), np.nan), "not finite"),
        ([np.zeros((1, 6, 6, 2))] * 2, "2 arrays, the model has 1"),
    ],
)
def test_data_that_does_not_fit_is_refused(keras, x, said):
    with pytest.raises(InputError, match=said):
        calibrate(image_network(keras), {"default": bits(5)}, x)


def test_quantized_models_are_refused(keras):
    model = quantize(image_network(keras), {"hidden": bits(4)})
    with pytest.raises(InputError, match="layer 'hidden' is already quantized"):
        calibrate(model, {"default": bits(5)}, on_grid((9, 6, 6, 2)))


def test_what_has_no_exact_twin_is_refused(keras):
    inputs = keras.Input((6,), name="in")
    plain = keras.Model(inputs, keras.layers.LeakyReLU(name="x")(keras.layers.Dense(3)(inputs)))
    with pytest.raises(UnsupportedError, match="layer 'x'"):
        calibrate(plain, {"default": bits(5)}, on_grid((9, 6)))
