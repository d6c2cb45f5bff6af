"""Models that are more than a chain of layers, in every file format: what is read predicts the
same, to the last bits of a float, as the model itself in its own framework."""

from dataclasses import replace

import numpy as np
import pytest
from plain_models import dense, write_model

from gatewright.compress.bits import LayerBits
from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.passes import supported
from live_models import agree, files, predicted, samples, shaken

#: Tests of both versions of Keras, of which `make test` runs one.
FIRST_2 = pytest.mark.parametrize(
    "k", ["tf-keras", pytest.param("keras 3", marks=pytest.mark.full)], indirect=True
)
FIRST_3 = pytest.mark.parametrize(
    "k", [pytest.param("tf-keras", marks=pytest.mark.full), "keras 3"], indirect=True
)


@FIRST_3
def test_models_within_models(k, tmp_path):
    layers = k.layers
    deep = k.Sequential([k.Input((4,)), layers.Dense(4, name="fc"), layers.BatchNormalization()])
    a = k.Input((4,))
    inner = k.Model(a, layers.Dense(5, activation="relu", name="fc1")(deep(a)), name="enc")
    b = k.Input((4,), name="x")
    tail = k.Sequential([k.Input((5,)), layers.Dense(3), layers.Reshape((3, 1)), layers.LSTM(2)])
    y = layers.Dense(2, name="fc")(tail(inner(layers.Dense(4, name="first")(b))))
    network = agree(shaken(k.Model(b, y)), tmp_path, samples(4))
    names = [layer.name for layer in network.layers]
    assert names[:3] == ["x", "first", f"enc_{deep.name}_fc"]
    assert names[-1] == "fc"
    assert "fc1" in names
    assert network.layer(names[2]).label == "fc"


@FIRST_2
def test_a_model_of_several_inputs_and_outputs_within_another(k, tmp_path):
    a, b = k.Input((3,)), k.Input((3,))
    both = k.layers.Subtract()([k.layers.Dense(3)(a), b])
    inner = k.Model([a, b], [both, k.layers.Dense(2)(both)])
    x, y = k.Input((3,), name="x"), k.Input((3,), name="y")
    first, second = inner([y, x])
    agree(shaken(k.Model([x, y], [second, first])), tmp_path, samples(3), samples(3, seed=1))


@FIRST_2
def test_layers_and_models_that_are_called_twice(k, tmp_path):
    """Each call is a layer of its own, with the same weights."""
    a = k.Input((3,))
    inner = k.Model(a, k.layers.Dense(3, activation="tanh")(a), name="twin")
    fc = k.layers.Dense(3, name="fc")
    x, y = k.Input((3,), name="x"), k.Input((3,), name="y")
    total = k.layers.Add(name="sum")([inner(fc(x)), inner(fc(y))])
    network = agree(shaken(k.Model([x, y], fc(total))), tmp_path, samples(3), samples(3, seed=1))
    calls = [layer for layer in network.layers if "fc" in (layer.name, layer.label)]
    assert [layer.name for layer in calls] == ["fc", "fc_1", "fc_2"]
    assert calls[0].weights["kernel"] is calls[2].weights["kernel"]


@FIRST_3
def test_a_sequential_model_of_models(k, tmp_path):
    """As in transfer learning; the first layer is a model, which knows the shape."""
    base = k.Sequential([k.Input((6, 6, 1)), k.layers.Conv2D(2, 3), k.layers.Flatten()], name="b")
    model = k.Sequential([base, k.layers.Dense(2)])
    model.build((None, 6, 6, 1))
    agree(shaken(model), tmp_path, samples(6, 6, 1))


@FIRST_2
def test_an_inner_model_takes_the_shape_that_it_is_given(k, tmp_path):
    a = k.Input((None, None, 1))
    inner = k.Model(a, k.layers.Conv2D(2, 3)(a))
    x = k.Input((5, 5, 1))
    model = k.Model(x, k.layers.GlobalMaxPooling2D()(inner(x)))
    agree(shaken(model), tmp_path, samples(5, 5, 1))


@pytest.mark.parametrize("name", ["dense 1", "a.b", "größe", "1st", "a/b", "x;y", "activation"])
def test_names_of_any_characters(tmp_path, name):
    first, weights = dense(name, 3, 4)
    second, more = dense("fc_1", 2, 3)
    network = load(*write_model(tmp_path, [first, second], {name: weights, "fc_1": more}))
    layer = network.layers[1]
    assert name in (layer.name, layer.label)
    assert layer.name.isidentifier()
    assert layer.name.isascii()
    np.testing.assert_array_equal(layer.weights["kernel"], weights[f"{name}/kernel:0"])


def test_a_name_that_begins_as_another_and_goes_on_behind_a_slash(tmp_path):
    """In HDF5 one is a group within the other's."""
    first, weights = dense("block/fc", 3, 4)
    second, more = dense("block", 2, 3)
    network = load(*write_model(tmp_path, [first, second], {"block/fc": weights, "block": more}))
    for name, given in (("block/fc", weights), ("block", more)):
        layer = next(each for each in network.layers if name in (each.name, each.label))
        np.testing.assert_array_equal(layer.weights["bias"], given[f"{name}/bias:0"])


@FIRST_2
def test_layers_as_activations(k, tmp_path):
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((6, 6, 1)),
            layers.Conv2D(2, 3, activation=layers.PReLU(), name="conv"),
            layers.Activation(layers.LeakyReLU(0.25), name="act"),
            layers.Flatten(),
            layers.Dense(4, activation=layers.ReLU(max_value=3.0)),
            layers.Dense(3, activation=layers.Softmax()),
        ]
    )
    network = agree(shaken(model), tmp_path, samples(6, 6, 1))
    kinds = [layer.kind for layer in network.layers]
    assert kinds[1:4] == ["Conv2D", "PReLU", "LeakyReLU"]


def test_functions_as_activations(k, tmp_path):
    import tensorflow as tf

    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(4, activation=tf.nn.relu),
            k.layers.Activation(tf.math.tanh),
            k.layers.Dense(4, activation=tf.nn.relu6),
            k.layers.Dense(3, activation=k.activations.sigmoid),
        ]
    )
    agree(shaken(model), tmp_path, samples(4), formats=[".h5"])


@FIRST_3
def test_time_distributed_layers_of_the_last_axis(k, tmp_path):
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((5, 3)),
            layers.TimeDistributed(layers.Dense(4, activation="relu")),
            layers.TimeDistributed(layers.Dropout(0.5)),
            layers.TimeDistributed(layers.Activation("tanh")),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    agree(shaken(model), tmp_path, samples(5, 3))


def test_spectral_normalization_is_left_out(tmp_path):
    import keras as k3

    wrapped = k3.layers.SpectralNormalization(k3.layers.Dense(3))
    model = shaken(k3.Sequential([k3.Input((4,)), wrapped]))
    agree(model, tmp_path, samples(4))


@pytest.fixture
def tfmot(keras):
    from tensorflow_model_optimization.python.core.clustering.keras import cluster
    from tensorflow_model_optimization.python.core.quantization.keras import quantize
    from tensorflow_model_optimization.python.core.sparsity.keras import prune

    return {
        "prune": prune.prune_low_magnitude,
        "strip_pruning": prune.strip_pruning,
        "cluster": lambda model: cluster.cluster_weights(model, 3, "CentroidInitialization.LINEAR"),
        "strip_clustering": cluster.strip_clustering,
        "quantize": quantize.quantize_model,
    }


def plain_convolution(keras, activation):
    layers = keras.layers
    return shaken(
        keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(2, 3, activation=activation),
                layers.Flatten(),
                layers.Dense(3, activation="relu"),
            ]
        )
    )


def test_pruning_in_training_is_read_with_its_masks(keras, tfmot, tmp_path):
    model = tfmot["prune"](plain_convolution(keras, keras.layers.PReLU()))
    rng = np.random.default_rng(5)
    for layer in model.layers:
        for weight in layer.weights:
            if "mask" in weight.name:
                weight.assign(rng.integers(0, 2, weight.shape))
    paths = list(files(model, tmp_path))  # before a prediction masks the weights themselves
    x = samples(6, 6, 1)
    networks = [load(*each) for each in paths]
    expected = model.predict(x, verbose=0)
    for network in networks:
        np.testing.assert_allclose(predicted(network, x)[0], expected, rtol=1e-5)
    zeros = networks[0].layers[1].weights["kernel"] == 0
    assert 0 < zeros.sum() < zeros.size
    stripped = load(tfmot["strip_pruning"](model))
    np.testing.assert_array_equal(stripped.layers[1].weights["kernel"] == 0, zeros)


def test_what_clustering_is_asked_for_works(keras, tfmot, tmp_path):
    model = tfmot["cluster"](plain_convolution(keras, "relu"))
    model.save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match=r"is a ClusterWeights.*strip_clustering"):
        load(tmp_path / "m.h5")
    agree(tfmot["strip_clustering"](model), tmp_path, samples(6, 6, 1), formats=[".h5"])


def test_what_quantization_of_another_kind_is_asked_for_works(keras, tfmot, tmp_path):
    from gatewright.compress.quantize_files import Request, quantize_file

    model = shaken(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")]))
    tfmot["quantize"](model).save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match=r"is a QuantizeLayer.*gatewright quantize"):
        load(tmp_path / "m.h5")
    model.save(tmp_path / "float.h5")
    quantize_file(
        Request(
            tmp_path / "float.h5",
            bits={"default": LayerBits(weights=6, activations=6)},
            output=tmp_path / "q.h5",
        )
    )
    assert supported(load(tmp_path / "q.h5")).is_quantized


def test_calls_in_training_are_refused(k):
    x = k.Input((4,))
    model = k.Model(x, k.layers.BatchNormalization(name="bn")(x, training=True))
    with pytest.raises(UnsupportedError, match="layer 'bn': is called with training=True"):
        load(model)


def test_models_that_are_too_deep_or_too_many(keras):
    def nested(depth):
        entry = {"class_name": "Dense", "config": {"name": "fc", "units": 2}}
        for level in range(depth):
            name = f"m{level}"
            entry = {"class_name": "Sequential", "config": {"name": name, "layers": [entry]}}
        return entry

    from gatewright.frontend.readers.architecture import read_outline
    from gatewright.frontend.readers.flatten import flatten

    model = nested(5)
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 2]}}
    model["config"]["layers"].insert(0, first)
    assert len(flatten(read_outline("net", model)).network.layers) == 2
    with pytest.raises(UnsupportedError, match="are nested more than 12 deep"):
        read_outline("net", nested(40))

    def twice(entry, name):  # a model that calls another two times
        inputs = {
            "class_name": "InputLayer",
            "name": "i",
            "config": {"name": "i", "batch_input_shape": [None, 2]},
        }
        inner = entry["config"]["name"]
        layer = {**entry, "name": inner}
        layer["inbound_nodes"] = [[["i", 0, 0, {}]], [[inner, 0, 0, {}]]]
        config = {
            "name": name,
            "layers": [inputs, layer],
            "input_layers": [["i", 0, 0]],
            "output_layers": [[inner, 1, 0]],
        }
        return {"class_name": "Functional", "config": config}

    entry = {"class_name": "ReLU", "config": {"name": "a"}}
    for level in range(11):
        entry = twice(entry, f"m{level}")
    with pytest.raises(InputError, match="more than 1024 layers, written out"):
        flatten(read_outline("net", entry))


def test_layers_of_qkeras_with_a_normalization_in_them(keras, tmp_path):
    from qkeras import QConv2DBatchnorm, QDepthwiseConv2DBatchnorm, quantized_bits

    def bits():
        return quantized_bits(6, 1, alpha=1)

    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            QDepthwiseConv2DBatchnorm(3, depthwise_quantizer=bits(), bias_quantizer=bits()),
            QConv2DBatchnorm(2, 2, kernel_quantizer=bits(), bias_quantizer=bits()),
        ]
    )
    network = agree(shaken(model), tmp_path, samples(6, 6, 3))
    assert [layer.kind for layer in network.layers[1:]] == ["QDepthwiseConv2D", "QConv2DBatchnorm"]


def test_a_dense_layer_with_a_normalization_in_it(keras, tmp_path):
    """Of a later QKeras than is installed: what its parts compute in Keras is the judge."""
    x = keras.Input((4,), name="x")
    fc, bn = keras.layers.Dense(3, name="fc"), keras.layers.BatchNormalization(epsilon=0.01)
    model = shaken(keras.Model(x, bn(fc(x))))
    config = {"name": "fc", "units": 3, "epsilon": 0.01, "axis": [-1], "momentum": 0.99}
    config |= {"kernel_quantizer": None, "bias_quantizer": None, "folding_mode": "x"}
    weights = {f"fc/{each.name}": each.numpy() for layer in (fc, bn) for each in layer.weights}
    weights["fc/iteration:0"] = np.int64(7)
    entry = {"class_name": "QDenseBatchnorm", "config": config}
    network = load(*write_model(tmp_path, [entry], {"fc": weights}))
    assert network.layer("fc").kind == "QDense"
    plain = replace(network.layer("fc"), kind="Dense")
    arguments = {key: plain.arguments[key] for key in ("units", "activation", "use_bias")}
    plain = replace(plain, arguments=arguments)
    network = replace(network, layers=(network.layer("x"), plain))
    np.testing.assert_allclose(
        predicted(network, samples(4))[0], model.predict(samples(4), verbose=0), rtol=1e-5
    )
