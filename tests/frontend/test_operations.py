"""Operations in functional models are read as layers that predict the same, or refused by name."""

import numpy as np
import pytest

from gatewright.errors import UnsupportedError
from gatewright.frontend import convert, load
from gatewright.frontend.passes import supported
from gatewright.options import ConvertOptions
from live_models import agree, predicted, samples, shaken


class _Both:
    """The same operations in TensorFlow, as Keras 2 records them, and in Keras 3."""

    def __init__(self, k):
        import tensorflow as tf

        self.keras3 = not k.__name__.startswith("tf_keras")
        self._ops = k.ops if self.keras3 else tf

    def __getattr__(self, name):
        other = {"concat": "concatenate", "clip_by_value": "clip", "reduce_mean": "mean"}
        other |= {"reduce_max": "max"}
        if self.keras3:
            return getattr(self._ops, other.get(name, name))
        if name in ("relu", "relu6", "softmax", "leaky_relu"):
            return getattr(self._ops.nn, name)
        return getattr(self._ops, name)


V = np.float32([0.5, -2, 3, 0.25])

#: By name: what is done to a vector of 4, another, and an image of 4 x 6 x 3.
OPERATIONS = {
    "a + b": lambda o, a, b, x: a + b,
    "a - b": lambda o, a, b, x: a - b,
    "a * b": lambda o, a, b, x: a * b,
    "a + 1.5": lambda o, a, b, x: a + 1.5,
    "a - 1.5": lambda o, a, b, x: a - 1.5,
    "1.5 - a": lambda o, a, b, x: 1.5 - a,
    "-a": lambda o, a, b, x: -a,
    "a * -3": lambda o, a, b, x: a * -3.0,
    "a / 4": lambda o, a, b, x: a / 4,
    "a + v": lambda o, a, b, x: a + V,
    "v - a": lambda o, a, b, x: o.subtract(V, a),
    "a * v": lambda o, a, b, x: a * V,
    "image * 0.3": lambda o, a, b, x: x * 0.3 - 0.7,
    "a[:, :3]": lambda o, a, b, x: a[:, :3],
    "a[:, -2:]": lambda o, a, b, x: a[:, -2:],
    "image[:, 1:3, 2:]": lambda o, a, b, x: x[:, 1:3, 2:],
    "image[..., 1:]": lambda o, a, b, x: x[..., 1:],
    "image[:, :, -1]": lambda o, a, b, x: x[:, :, -1],
    "image[:, 2, :, 0:1]": lambda o, a, b, x: x[:, 2, :, 0:1],
    "a[:, None]": lambda o, a, b, x: a[:, None],
    "reshape": lambda o, a, b, x: o.reshape(a, (-1, 2, 2)),
    "expand_dims": lambda o, a, b, x: o.expand_dims(a, -1),
    "squeeze": lambda o, a, b, x: o.squeeze(o.expand_dims(a, 1), 1),
    "transpose": lambda o, a, b, x: o.transpose(x, (0, 2, 1, 3)),
    "concat": lambda o, a, b, x: o.concat([a, b], axis=-1),
    "relu": lambda o, a, b, x: o.relu(a),
    "relu6": lambda o, a, b, x: o.relu6(a * 8.0),
    "leaky_relu": lambda o, a, b, x: o.leaky_relu(a, 0.25),
    "sigmoid": lambda o, a, b, x: o.sigmoid(a),
    "tanh": lambda o, a, b, x: o.tanh(a),
    "softmax": lambda o, a, b, x: o.softmax(a),
    "maximum": lambda o, a, b, x: o.maximum(a, b),
    "minimum": lambda o, a, b, x: o.minimum(a, b),
    "maximum of 0": lambda o, a, b, x: o.maximum(a, 0.0),
    "clip": lambda o, a, b, x: o.clip_by_value(a, 0.0, 1.5),
    "mean": lambda o, a, b, x: o.reduce_mean(x, axis=(1, 2)),
    "max of steps": lambda o, a, b, x: o.reduce_max(o.reshape(x, (-1, 24, 3)), axis=1),
    "split": lambda o, a, b, x: o.split(x, 3, axis=2)[1],
    "several": lambda o, a, b, x: o.relu((a[:, :2] + b[:, 2:]) * 0.5) - 1.0,
}


def model_of(k, operation):
    a, b, x = k.Input((4,), name="a"), k.Input((4,), name="b"), k.Input((4, 6, 3), name="x")
    y = OPERATIONS[operation](_Both(k), a, b, x)
    out = [k.layers.Dense(4)(a), k.layers.Dense(4)(b), k.layers.GlobalMaxPooling2D()(x), y]
    return shaken(k.Model([a, b, x], out))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_read_as_layers(k, operation):
    model = model_of(k, operation)
    inputs = [samples(4), samples(4, seed=1), samples(4, 6, 3)]
    expected = model.predict(inputs, verbose=0)
    network = load(model)
    for ours, theirs in zip(predicted(network, *inputs), expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    for io in ("parallel", "stream"):
        supported(network, io)


def test_operations_in_files(k, tmp_path):
    a = k.Input((4,), name="a")
    o = _Both(k)
    y = k.layers.Dense(3)(o.relu(k.layers.Dense(4)(a)[:, 1:] * 0.5 + 1.0))
    network = agree(shaken(k.Model(a, y)), tmp_path, samples(4))
    assert "Cropping1D" in [layer.kind for layer in network.layers]


def test_a_shape_with_the_number_of_samples(keras, tmp_path):
    import tensorflow as tf

    a = keras.Input((8,), name="a")
    y = tf.reshape(a, (tf.shape(a)[0], 2, 4))
    model = shaken(keras.Model(a, keras.layers.Dense(2)(y)))
    agree(model, tmp_path, samples(8), formats=[".h5"])


REFUSED = {
    "has no equivalent layer": lambda o, a: o.exp(a),
    "not a power of two; multiply by 1 / 3": lambda o, a: a / 3.0,
    "divides by a tensor": lambda o, a: a / a,
    "takes one element in 2": lambda o, a: a[:, ::2],
    "selects samples": lambda o, a: a[:1],
    "single element": lambda o, a: a[:, 1],
    "works on the batch axis": lambda o, a: o.expand_dims(a, 0),
    "mixes samples": lambda o, a: o.reshape(a, (1, -1)),
    "different ranks": lambda o, a: o.expand_dims(a, -1) + a,
    "neither one number nor one per": lambda o, a: o.expand_dims(a, -1) * V,
    "from 0 to a number": lambda o, a: o.clip_by_value(a, -1.0, 1.0),
    "a maximum with 0": lambda o, a: o.maximum(a, 1.0),
    "all axes but": lambda o, a: o.reduce_mean(o.expand_dims(a, -1), axis=2),
}


@pytest.mark.parametrize("why", REFUSED)
def test_operations_that_are_refused(k, why):
    a = k.Input((4,), name="a")
    try:
        y = REFUSED[why](_Both(k), a)
        model = k.Model(a, [k.layers.Dense(2)(a), k.layers.Flatten()(y)])
        model.to_json()
    except (ValueError, TypeError) as error:
        pytest.skip(f"the framework itself refuses it: {error}")
    with pytest.raises(UnsupportedError, match=why) as caught:
        load(model)
    assert "\n" not in str(caught.value)


def test_multiplying_as_a_division_is_told_to_works(keras, tmp_path):
    a = keras.Input((4,), name="a")
    model = keras.Model(a, keras.layers.Dense(2)(a * (1 / 3)))
    agree(shaken(model), tmp_path, samples(4), formats=[".h5"])


def test_rescaling_is_exact_in_hardware(keras, tmp_path):
    """hls4ml's normalization of constants, in its own C++ emulation."""
    from gatewright.design import golden
    from gatewright.fixed import from_float, to_float
    from gatewright.lower import lower

    a = keras.Input((4, 3), name="a")
    layer = keras.layers.Rescaling([0.5, -1.25, 2.0], offset=0.375)
    model = keras.Model(a, layer(a)[:, 1:3, :2] + 1.5)
    x = np.round(samples(4, 3) * 64) / 64
    network = load(model)
    options = ConvertOptions(input_precision="fixed<12,5>", precision="fixed<24,12>")
    design = lower(convert(network, None, options, tmp_path / "hls"))
    words = [from_float(np.float64(x).reshape(-1, *t.shape), t.type) for t in design.inputs]
    (result,) = design.outputs
    got = to_float(golden.run(design, words)[result.name], result.type.frac)
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
