"""QKeras' layers convert without QKeras, and weights are the values that QKeras computes with."""

import subprocess
import sys

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert, load
from gatewright.lower import lower
from gatewright.options import ConvertOptions

_ALONE = """
import sys
from gatewright.frontend import write_hls
from gatewright.frontend import convert
for path in sys.argv[2:]:
    write_hls(convert(path), sys.argv[1])
print([name for name in ("tensorflow", "keras", "tf_keras", "qkeras") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def q(keras):
    import qkeras

    return qkeras


def spread(model, seed=1):
    """Weights of both signs, on a grid that float32 and any type hold."""
    rng = np.random.default_rng(seed)
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([np.round(rng.uniform(-1.2, 1.2, shape) * 64) / 64 for shape in shapes])
    return model


def outputs_of(model, x, options=None):
    """The golden outputs of a live model, as numbers."""
    design = lower(convert(model, options=options))
    raw = golden.run(design, [from_float(x, design.inputs[0].type)])
    (tensor,) = design.outputs
    return to_float(raw[tensor.name], tensor.type.frac).reshape(len(x), -1)


def inputs(shape, seed=0):
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(-3, 3, (60, *shape)) * 16) / 16


def assert_as_predicted(model, options=None, **tolerance):
    x = inputs(model.input_shape[1:])
    expected = model.predict(x.astype(np.float32), verbose=0).reshape(len(x), -1)
    found = outputs_of(model, x, options)
    if tolerance:
        np.testing.assert_allclose(found, expected, **tolerance)
    else:
        np.testing.assert_array_equal(found, expected)


def test_no_file_of_qkeras_layers_needs_tensorflow(q, keras, tmp_path):
    bits = q.quantized_bits
    kinds = {
        "auto": bits(4, 0, alpha="auto"),
        "po2": bits(4, 0, alpha="auto_po2"),
        "binary": q.binary(alpha=1),
        "ternary": q.ternary(alpha="auto"),
        "powers": q.quantized_po2(4),
        "drawn": q.stochastic_ternary(alpha="auto_po2"),
    }
    paths = []
    for name, each in kinds.items():
        model = keras.Sequential(
            [
                keras.layers.Input((6, 6, 2), name="x"),
                q.QConv2D(2, 3, kernel_quantizer=each, bias_quantizer=bits(6, 1), name="c"),
                q.QActivation("quantized_relu(4, 1)", name="a"),
                q.QDepthwiseConv2D(2, depthwise_quantizer=each, name="d"),
                q.QBatchNormalization(name="n"),
                q.QActivation(q.quantized_tanh(4), name="t"),
                keras.layers.Flatten(name="f"),
                q.QDense(3, kernel_quantizer=each, activation=bits(6, 2, alpha=1), name="e"),
            ]
        )
        paths.append(tmp_path / f"{name}.h5")
        model.save(paths[-1])
    arguments = [sys.executable, "-c", _ALONE, tmp_path / "hls", *paths]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def dense(q, keras, quantizer, **arguments):
    layer = q.QDense(
        5,
        kernel_quantizer=quantizer,
        bias_quantizer=q.quantized_bits(6, 1, alpha=1),
        name="fc",
        **arguments,
    )
    return spread(keras.Sequential([keras.layers.Input((6,), name="x"), layer], name="m"))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("quantized_bits", {"bits": 1, "integer": 1, "alpha": True}),
        ("quantized_bits", {"bits": 1, "integer": 1}),
        ("quantized_bits", {"bits": 4, "integer": 4, "alpha": 1}),
        ("quantized_bits", {"bits": 4, "integer": 0, "alpha": [1, 2, 0.5, 1, 4]}),
        ("quantized_bits", {"bits": 4, "alpha": "auto_po2", "scale_axis": 0}),
        ("quantized_bits", {"bits": 4, "alpha": 1, "keep_negative": False}),
        ("binary", {"alpha": 1, "use_01": True}),
        ("binary", {"alpha": 0.5}),
        ("ternary", {"alpha": 2, "threshold": 0.5}),
        ("quantized_relu", {"bits": 4, "integer": 0, "negative_slope": 0.25}),
        ("quantized_relu_po2", {"bits": 3}),
        ("quantized_tanh", {"bits": 4, "symmetric": True}),
    ],
)
def test_weights_are_those_of_qkeras(q, keras, kind, arguments):
    assert_as_predicted(dense(q, keras, getattr(q, kind)(**arguments)))


def test_a_pruned_channel_has_no_scale(q, keras):
    model = dense(q, keras, q.quantized_bits(4, 0, alpha="auto"))
    kernel, bias = model.get_weights()
    kernel[:, 2] = 0
    model.set_weights([kernel, bias])
    assert_as_predicted(model, atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("bernoulli", {}, "draws at random"),
        ("quantized_bits", {"bits": 1, "alpha": "auto"}, "infinities or NaN"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(q, keras, kind, arguments, message):
    model = dense(q, keras, getattr(q, kind)(**arguments))
    with pytest.raises(UnsupportedError, match=f"layer 'fc': kernel_quantizer {kind} .*{message}"):
        convert(model)


def test_a_scale_that_the_preset_loses_is_refused(q, keras):
    model = dense(q, keras, q.quantized_bits(4, 0, alpha="auto_po2"))
    with pytest.raises(UnsupportedError, match=r"layer 'fc' .* leave --preset hls4ml out"):
        convert(model, options=ConvertOptions(preset="hls4ml"))
    assert_as_predicted(model)  # as the message says


def test_an_old_file_measures_the_scale_that_it_does_not_name(q, keras, tmp_path):
    """QKeras makes alpha=None of a kernel's quantizer auto_po2 when it builds the layer."""
    import json

    model = dense(q, keras, q.quantized_bits(4, 0))
    architecture = json.loads(model.to_json())
    architecture["config"]["layers"][1]["config"]["kernel_quantizer"] = "quantized_bits(4, 0)"
    (tmp_path / "m.json").write_text(json.dumps(architecture))
    model.save_weights(tmp_path / "m.h5")
    network = load(tmp_path / "m.json", tmp_path / "m.h5")
    x = inputs((6,))
    design = lower(convert(network))
    raw = golden.run(design, [from_float(x, design.inputs[0].type)])[design.outputs[0].name]
    found = to_float(raw, design.outputs[0].type.frac)
    np.testing.assert_array_equal(found, model.predict(x.astype(np.float32), verbose=0))


def activated(q, keras, quantizer):
    """A layer that gives what it reads, and an activation of it."""
    same = q.QDense(2, kernel_quantizer=q.quantized_bits(4, 1, alpha=1), name="same")
    layers = [keras.layers.Input((2,), name="x"), same, q.QActivation(quantizer, name="act")]
    model = keras.Sequential(layers, name="m")
    same.set_weights([np.eye(2), np.zeros(2)])
    return model


GRID = np.repeat(np.arange(-512, 512)[:, None] / 64, 2, axis=1)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("quantized_bits", {"bits": 1, "integer": 1}),
        ("quantized_bits", {"bits": 1, "integer": 0}),
        ("quantized_bits", {"bits": 1, "integer": 0, "keep_negative": False}),
        ("quantized_relu", {"bits": 4, "integer": 2, "relu_upper_bound": 1.5}),
        ("quantized_relu", {"bits": 4, "integer": 2, "is_quantized_clip": False}),
        ("quantized_relu", {"bits": 4, "integer": 1, "negative_slope": 0.25}),
        ("ternary", {"threshold": 0.5}),
        ("ternary", {"threshold": 1.0}),
        ("ternary", {"threshold": 1.25}),
        ("stochastic_binary", {}),
        ("stochastic_ternary", {"threshold": 0.75}),
        ("quantized_tanh", {"bits": 4, "symmetric": True}),
        ("quantized_sigmoid", {"bits": 4, "symmetric": True}),
        ("binary", {"alpha": 0.5}),
        ("binary", {"use_01": True}),
        ("binary", {"use_01": True, "alpha": 2}),
        ("ternary", {"alpha": 2}),
        ("quantized_bits", {"bits": 4, "integer": 1, "alpha": 0.5}),
        ("quantized_bits", {"bits": 4, "integer": 1, "alpha": [0.5, 3]}),
        ("quantized_bits", {"bits": 1, "alpha": 0.75}),
        (
            "quantized_relu",
            {"bits": 4, "integer": 2, "relu_upper_bound": 1.375, "is_quantized_clip": False},
        ),
    ],
)
def test_activations_are_those_of_qkeras(q, keras, kind, arguments):
    model = activated(q, keras, getattr(q, kind)(**arguments))
    expected = model.predict(GRID.astype(np.float32), verbose=0)
    np.testing.assert_array_equal(outputs_of(model, GRID), expected)


def test_functions_by_name_are_those_of_keras(q, keras):
    model = activated(q, keras, "relu")
    np.testing.assert_array_equal(outputs_of(model, GRID), np.maximum(GRID, 0))


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        ("binary", {"alpha": "auto"}, "alpha=auto"),
        ("quantized_relu", {"use_sigmoid": 1}, "use_sigmoid"),
        ("bernoulli", {}, "bernoulli draws"),
        ("quantized_ulaw", {}, "quantized_ulaw"),
    ],
)
def test_what_hls4ml_drops_of_an_activation_is_refused(q, keras, kind, arguments, named):
    model = activated(q, keras, getattr(q, kind)(**arguments))
    with pytest.raises(UnsupportedError, match=f"layer 'act': .*{named}"):
        convert(model)


@pytest.mark.parametrize("name", ["binary_tanh", "hard_sigmoid", "hard_tanh"])
@pytest.mark.parametrize("is_own_layer", [True, False])
def test_functions_of_qkeras_by_name_are_its_own(q, keras, name, is_own_layer):
    if is_own_layer:
        model = activated(q, keras, name)
    else:
        model = dense(q, keras, q.quantized_bits(4, 0, alpha=1), activation=name)
    assert_as_predicted(model)


@pytest.mark.parametrize("quantizer", [None, "quantized_bits(4, 0, alpha='auto')"])
def test_a_normalization_behind_a_depthwise_convolution(q, keras, quantizer):
    layers = [
        keras.layers.Input((5, 5, 3), name="x"),
        q.QDepthwiseConv2D(2, depthwise_quantizer=quantizer, name="d"),
        keras.layers.BatchNormalization(epsilon=0, name="n"),
    ]
    model = spread(keras.Sequential(layers, name="m"))
    ones = {"gamma": 0.5, "variance": 4.0}
    norm = model.get_layer("n")
    for weight in norm.weights:
        for what, value in ones.items():
            if what in weight.name:
                weight.assign(np.full(weight.shape, value))
    assert_as_predicted(model, atol=1e-2)
