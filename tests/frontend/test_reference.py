"""The model's own framework, in a process of its own: judged by the live model's predict."""

import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.record import load_network, save_network
from gatewright.frontend.reference import ON_PROCESSOR, Reference, predict
from gatewright.frontend.reference.framework_worker import Model

SAMPLES = 40


def samples(*shapes, seed=5):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1.5, (SAMPLES, *shape)).astype(np.float32) for shape in shapes]


def shaken(model):
    """The model with weights and statistics that are no defaults."""
    rng = np.random.default_rng(11)
    for layer in model.layers:
        arrays = [rng.uniform(0.2, 1, array.shape) for array in layer.get_weights()]
        signs = [rng.choice([-1, 1], array.shape) for array in arrays]
        if "batchnorm" not in type(layer).__name__.lower():
            arrays = [array * sign for array, sign in zip(arrays, signs, strict=True)]
        layer.set_weights(arrays)
    return model


@pytest.fixture(scope="module")
def images(keras):
    """An image network of Keras 2: windows, padding, normalization, branches, two outputs."""
    layers = keras.layers
    image, extra = keras.Input((6, 6, 2), name="image"), keras.Input((3,), name="extra")
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv")(image)
    x = layers.BatchNormalization(epsilon=0.01, name="norm")(x)
    x = layers.DepthwiseConv2D(2, strides=2, name="depth")(x)
    x = layers.LeakyReLU(alpha=0.2, name="leaky")(x)
    x = layers.ZeroPadding2D(((1, 0), (0, 2)), name="pad")(x)
    x = layers.SeparableConv2D(4, 2, activation="tanh", name="separable")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Concatenate(name="join")([x, extra])
    first = layers.Dense(4, activation="softmax", name="first")(x)
    second = layers.Dense(2, name="second")(layers.Activation("linear", name="same")(x))
    return shaken(keras.Model([image, extra], [first, second]))


@pytest.fixture(scope="module")
def sequences(keras):
    """A recurrent network of Keras 2."""
    layers = keras.layers
    x = inputs = keras.Input((5, 3), name="steps")
    x = layers.Conv1D(4, 3, padding="causal", activation="elu", name="conv")(x)
    x = layers.GRU(4, return_sequences=True, name="gru")(x)
    x = layers.LSTM(3, name="lstm")(x)
    x = layers.PReLU(name="prelu")(x)
    return shaken(keras.Model(inputs, layers.Dense(2, activation="sigmoid", name="y")(x)))


@pytest.fixture(scope="module")
def quantized(keras):
    """A network of QKeras, of every form that a quantizer is given in."""
    import qkeras

    x = inputs = keras.Input((6, 6, 1), name="image")
    x = qkeras.QConv2DBatchnorm(
        3, 3, kernel_quantizer="quantized_bits(5,1,alpha=1)", name="conv", use_bias=False
    )(x)
    x = qkeras.QActivation("quantized_relu(4,2)", name="act")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = qkeras.QDense(
        4,
        kernel_quantizer=qkeras.quantized_po2(4, 2),
        bias_quantizer=qkeras.quantized_bits(5, 1, alpha=1),
        activation="hard_sigmoid",
        name="mid",
    )(x)
    x = qkeras.QBatchNormalization(name="norm")(x)
    x = qkeras.QDense(
        3,
        kernel_quantizer=qkeras.ternary(alpha="auto_po2"),
        bias_quantizer=qkeras.quantized_bits(5, 1, alpha=1),
        activation=qkeras.quantized_tanh(5),
        name="out",
    )(x)
    return shaken(keras.Model(inputs, x))


@pytest.mark.parametrize(
    "name",
    [*(pytest.param(n, marks=pytest.mark.full) for n in ("images", "sequences")), "quantized"],
)
def test_a_rebuilt_model_predicts_as_the_live_one(name, request, keras, tmp_path):
    model = request.getfixturevalue(name)
    data = samples(*(each.shape[1:] for each in model.inputs))
    every = keras.Model(model.inputs, [layer.output for layer in model.layers])
    names = [layer.name for layer in model.layers]
    of_layers = dict(zip(names, every.predict(data, verbose=0), strict=True))
    want = [of_layers[name] for name in model.output_names]

    save_network(load(model), tmp_path / "network")
    network = load_network(tmp_path / "network")
    with Reference(network) as reference:
        found = reference.predict(data, layers=True)
        ranges = reference.ranges(data)
        assert reference.framework.startswith("tf-keras 2.")
        assert ("QKeras" in reference.framework) == (name == "quantized")
        behind = [layer for layer in network.layers if layer.inputs][-1]
        _, alone = reference.alone(behind.name, [found.layers[each] for each in behind.inputs])

    for got, output in zip(found.outputs, want, strict=True):
        np.testing.assert_allclose(got, output, rtol=1e-5, atol=1e-5)
    assert found.layers.keys() == of_layers.keys()
    for layer, output in of_layers.items():
        np.testing.assert_allclose(found.layers[layer], output, rtol=1e-5, atol=1e-5, err_msg=layer)
        assert ranges.layers[layer] == (found.layers[layer].min(), found.layers[layer].max())
    np.testing.assert_allclose(alone, found.layers[behind.name], rtol=1e-6, atol=1e-6)
    for layer, before in found.linear.items():
        assert ranges.linear[layer] == (before.min(), before.max())
    if name == "images":
        relu = np.maximum(found.linear["conv"], 0)
        np.testing.assert_array_equal(relu, found.layers["conv"])
        assert (found.linear["conv"] < 0).any()


@pytest.mark.parametrize("name", ["images", "quantized"])
def test_what_is_timed_computes_the_same(name, request):
    model = request.getfixturevalue(name)
    data = samples(*(each.shape[1:] for each in model.inputs))
    timed = Model(load(model)).compiled(data, "/CPU:0")
    predicted = model.predict(data, verbose=0)
    wanted = predicted if isinstance(predicted, list) else [predicted]
    for got, want in zip(timed(), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_a_network_is_timed(plain):
    data = samples((4,))
    with Reference(load(*plain[:2]), environment=ON_PROCESSOR) as reference:
        assert reference.gpus() == []
        found = reference.time(data, "/CPU:0", 0.01)
    assert 0 < found.low <= found.median <= found.high < 1e7
    assert found.count >= 50


def test_keras_3_is_asked_what_its_own_layers_mean(keras, tmp_path):
    import keras as keras3

    layers = keras3.layers
    x = steps = keras3.Input((8, 4), name="x")
    x = layers.SeparableConv1D(3, 2, padding="same", name="sep")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.LeakyReLU(negative_slope=0.1, name="leaky")(x)
    x = layers.DepthwiseConv1D(2, activation="hard_sigmoid", name="depth")(x)
    x = layers.UpSampling1D(2, name="up")(x)
    x = layers.GaussianNoise(0.5, name="noise")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    model = keras3.Model(steps, layers.Dense(2, activation="softmax", name="y")(x))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.1, 1, w.shape) for w in layer.get_weights()])
    model.save(tmp_path / "m.keras")
    (data,) = samples((8, 4))
    network = load(tmp_path / "m.keras")
    assert network.framework == "keras3"
    with Reference(network) as reference:
        got = reference.predict([data]).outputs[0]
        assert reference.framework.startswith("Keras 3.")
    np.testing.assert_allclose(got, model.predict(data, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.full
def test_what_keras_has_no_layer_for_is_named(plain):
    network = load(*plain[:2])
    layers = tuple(
        replace(layer, kind=layer.kind.replace("Dense", "BinaryDense")) for layer in network.layers
    )
    with pytest.raises(InputError, match=r"layer 'fc1': tf-keras 2\.\S+ has no BinaryDense"):
        predict(replace(network, layers=layers), samples((4,)))


def test_the_child_is_ended_at_its_limit_of_time(plain):
    network = load(*plain[:2])
    limit = pytest.raises(InputError, match=r"ended after 0\.05 seconds, its time limit")
    with Reference(network, seconds=0.05) as reference, limit:
        reference.predict(samples((4,)))


@pytest.mark.full
def test_a_layer_that_gives_no_numbers_is_named(plain):
    network = load(*plain[:2])
    layers = tuple(
        replace(layer, weights={name: 1e3 * array for name, array in layer.weights.items()})
        for layer in network.layers
    )
    beyond = np.float32([[3e38] * 4, [-3e38] * 4])
    with pytest.raises(InputError, match="layer 'fc1' gives infinities or NaN"):
        predict(replace(network, layers=layers), [beyond])


@pytest.mark.parametrize(
    ("key", "value"), [("framework", "jax"), ("labels", {"fc1": 3}), ("architecture", {})]
)
def test_a_record_that_was_tampered_with_is_refused(key, value, plain, tmp_path):
    save_network(load(*plain[:2]), tmp_path / "network")
    path = tmp_path / "network.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {key: value}))
    with pytest.raises(InputError, match=r"network\.json"):
        load_network(tmp_path / "network")


def test_without_tensorflow_that_is_the_reason(plain, tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no', name='tensorflow')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with pytest.raises(InputError, match=r"^tensorflow can't be imported$"):
        predict(load(*plain[:2]), samples((4,)))


def test_what_other_values_do_to_the_outputs_is_told_layer_by_layer(plain):
    network = load(*plain[:2])
    (x,) = samples((4,))
    with Reference(network) as reference:
        exact = reference.predict([x], layers=True)
        hidden, before = exact.layers["fc1"], exact.linear["fc2"]
        same = reference.effects([x], [("fc1", "result")], [hidden])
        both = [("fc1", "result"), ("fc2", "linear"), ("fc2", "result")]
        raised = before + np.array([1, 0])
        values = [hidden, raised, exact.layers["fc2"] / 2]
        effects = reference.effects([x], both, values)
    assert same == [0.0]
    moved = np.exp(raised)
    moved /= moved.sum(axis=1, keepdims=True)
    largest = np.abs(exact.outputs[0]).max()
    wanted = [0, np.abs(moved - exact.outputs[0]).max(), np.abs(values[2] - moved).max()]
    np.testing.assert_allclose(effects, np.array(wanted) / largest, rtol=1e-5)
