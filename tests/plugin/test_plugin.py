"""Gatewright as an hls4ml user meets it."""

import os
import subprocess
import sys

import numpy as np
import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def test_backend_is_found_and_light():
    code = (
        "import sys, hls4ml\n"
        "assert 'gatewright' in hls4ml.backends.get_available_backends()\n"
        "assert not {'tensorflow', 'keras', 'qkeras', 'cocotb', 'pyosys'} & set(sys.modules)\n"
        "backend = hls4ml.backends.get_backend('Gatewright')\n"
        "assert (backend.name, backend.get_default_flow()) == ('Gatewright', 'gatewright:ip')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def model():
    from gatewright.frontend.quiet import import_keras

    import_keras("qkeras")
    keras = import_keras("tf_keras")
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((4,), name="x"),
            QDense(
                3,
                name="fc1",
                kernel_quantizer=quantized_bits(5, 0, alpha=1),
                bias_quantizer=quantized_bits(5, 0, alpha=1),
            ),
            QActivation(quantized_relu(5, 1), name="act"),
            keras.layers.Dense(2, name="fc2", activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def graph(model, tmp_path_factory):
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Gatewright")
    return hls4ml.converters.convert_from_keras_model(
        model,
        backend="Gatewright",
        io_type="io_parallel",
        hls_config=config,
        output_dir=str(tmp_path_factory.mktemp("prj")),
    )


def test_converts_as_vitis_does(model, graph):
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
    vitis = hls4ml.converters.convert_from_keras_model(
        model, backend="Vitis", io_type="io_parallel", hls_config=config
    )

    def summary(graph):
        return [
            (node.name, node.class_name, {k: str(t.precision) for k, t in node.types.items()})
            for node in graph.get_layers()
        ]

    # But for the softmax, which is the last.
    assert summary(graph)[:-1] == summary(vitis)[:-1]
    assert [each[:2] for each in summary(graph)] == [each[:2] for each in summary(vitis)]


def test_compiles_and_predicts(model, graph):
    graph.compile()
    x = np.random.default_rng(0).integers(-64, 64, (50, 4)).astype(np.float32) / 32
    y = graph.predict(x)
    assert (y.shape, y.dtype) == ((50, 2), np.float32)
    np.testing.assert_allclose(y, model.predict(x, verbose=0), atol=0.01)
    np.testing.assert_array_equal(graph.predict(x[:1]), y[0])
    _, layers = graph.trace(x)
    np.testing.assert_array_equal(layers["fc2_softmax"], y)


def test_a_softmax_of_wide_sums_is_that_of_keras(model, tmp_path):
    """The differences that its table is indexed by end where the exponential does."""
    import hls4ml
    from tf_keras import Input, Sequential, layers

    network = Sequential([Input((16,), name="x"), layers.Dense(5, "softmax", name="fc")])
    weights = np.random.default_rng(1).integers(-64, 65, (16, 5)) / 32
    network.set_weights([weights, np.zeros(5)])
    config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend="Gatewright")
    graph = hls4ml.converters.convert_from_keras_model(
        network, backend="Gatewright", hls_config=config, output_dir=str(tmp_path)
    )
    graph.compile()
    x = np.random.default_rng(0).integers(-256, 257, (200, 16)).astype(np.float32) / 32
    np.testing.assert_allclose(graph.predict(x), network.predict(x, verbose=0), atol=0.02)


def test_a_softmax_keeps_the_types_that_are_set(model, tmp_path):
    import hls4ml
    from tf_keras import Input, Sequential, layers

    network = Sequential([Input((4,), name="x"), layers.Dense(5, "softmax", name="fc")])
    config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend="Gatewright")
    config["LayerName"]["fc_softmax"]["inp_norm_t"] = "ufixed<9,4,RND,SAT>"
    graph = hls4ml.converters.convert_from_keras_model(
        network, backend="Gatewright", hls_config=config, output_dir=str(tmp_path)
    )
    found = graph.graph["fc_softmax"].types["inp_norm_t"].precision
    assert str(found).startswith("ufixed<9,4,RND,SAT")


@pytest.mark.full
def test_builds(graph):
    report = graph.build(samples=200, synth=False)
    assert report.verification.mismatches == 0
    assert report.verification.vectors >= 200


def test_keras_3_models_go_where_they_went():
    keras3 = pytest.importorskip("keras", minversion="3")
    import hls4ml

    network = keras3.Sequential([keras3.Input((4,), name="x"), keras3.layers.Dense(3, name="fc")])
    config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend="Gatewright")
    graph = hls4ml.converters.convert_from_keras_model(
        network, backend="Gatewright", hls_config=config
    )
    assert [node.name for node in graph.get_layers()] == ["x", "fc"]
