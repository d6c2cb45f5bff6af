"""One model with every layer of the unrolled flow, from Keras objects to verified RTL."""

import json

import pytest

from gatewright.flow.convert import convert, load_design
from gatewright.flow.verify import verify
from gatewright.options import ConvertOptions


def every_layer_model():
    """Two inputs, branches that meet again, every merge and activation, twelve outputs."""
    from gatewright.frontend.quiet import import_keras

    keras = import_keras("tf_keras")
    qkeras = import_keras("qkeras")
    layers = keras.layers
    keras.utils.set_random_seed(3)

    def quantized_dense(size, name, kernel):
        bias = qkeras.quantized_bits(5, 0, alpha=1)
        return qkeras.QDense(size, kernel_quantizer=kernel, bias_quantizer=bias, name=name)

    def quantize(bits, integer, name):
        return qkeras.QActivation(qkeras.quantized_bits(bits, integer, alpha=1), name=name)

    a, b = layers.Input((6,), name="a"), layers.Input((4,), name="b")
    x = quantized_dense(8, "d1", qkeras.quantized_bits(5, 0, alpha=1))(a)
    x = qkeras.QActivation(qkeras.quantized_relu(5, 2), name="r1")(x)
    y = quantized_dense(8, "d2", qkeras.ternary(alpha=1))(b)
    y = quantize(6, 2, "q2")(y)
    total, product = layers.Add(name="add")([x, y]), layers.Multiply(name="mul")([x, y])
    rest, mean = layers.Subtract(name="sub")([x, y]), layers.Average(name="avg")([x, y])
    joined = layers.Concatenate(name="cat")(
        [
            layers.Maximum(name="max")([total, product]),
            layers.Minimum(name="min")([rest, mean]),
        ]
    )
    joined = layers.BatchNormalization(
        name="bn", beta_initializer="random_normal", gamma_initializer="random_uniform"
    )(joined)
    turned = layers.Permute((2, 1), name="turn")(layers.Reshape((4, 4), name="square")(joined))
    flat = quantize(8, 3, "q3")(layers.Flatten(name="flat")(turned))
    activations = {
        "leaky": layers.LeakyReLU(0.3, name="leaky"),
        "threshold": layers.ThresholdedReLU(0.5, name="threshold"),
        "elu": layers.ELU(name="elu"),
        "prelu": layers.PReLU(name="prelu", alpha_initializer="random_uniform"),
        "clipped": layers.ReLU(6.0, name="clipped"),
        **{
            name: layers.Activation(name, name=name)
            for name in ("selu", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid")
        },
    }
    ends = [f(layers.Dense(2, name=f"to_{name}")(flat)) for name, f in activations.items()]
    softmax = layers.Softmax(name="softmax")(
        layers.Dense(5, name="logits")(layers.Concatenate(name="pair")(ends[:2]))
    )
    binary = quantized_dense(3, "binary_dense", qkeras.binary(alpha=1))(total)
    binary = qkeras.QActivation("binary(alpha=1)", name="binary")(binary)
    hyperbolic = qkeras.QActivation(qkeras.quantized_tanh(5), name="quantized_tanh")(rest)
    return keras.Model([a, b], [softmax, binary, hyperbolic, *ends[2:]])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("every_layer")
    options = ConvertOptions(input_precision="fixed<10,4>")
    convert(every_layer_model(), None, options, directory, name="every_layer")
    return directory


def test_every_layer_is_bit_exact(project):
    results = verify(project, samples=500, fidelity=False).results
    assert results.verification.first_difference is None
    assert results.mismatches == results.emulation_mismatches == 0
    assert results.interval == results.timing.ii == 1
    traced = {layer.name for layer in results.verification.layers}
    kinds = {type(kernel).__name__ for kernel in load_design(project).kernels}
    assert {"bn", "leaky", "softmax", "binary", "quantized_tanh"} <= traced
    assert {"Dense", "BatchNorm", "Merge", "Concatenate", "Transpose", "Softmax", "Lookup"} <= kinds


def test_the_latency_is_as_predicted(project):
    rtl = json.loads((project / "rtl" / "project.json").read_text())
    results = verify(project, samples=500, fidelity=False).results
    assert results.timing.latency_max == rtl["latency"]
