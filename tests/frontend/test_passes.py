"""What is put in the place of layers that hls4ml lacks computes what Keras makes of the layers."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from rebuilt import rebuilt

from gatewright.design import golden
from gatewright.emulation import Emulation
from gatewright.errors import UnsupportedError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert, load, write_hls
from gatewright.frontend.passes import supported
from gatewright.frontend.reference import predict
from gatewright.frontend.shapes import shapes_of
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from live_models import Layers

IO = ("parallel", "stream")
IMAGE, ROW = (6, 5, 4), (9, 4)


class Heads(Layers):
    """Layers, with what they are quantized by here."""

    def q(self, *names, alpha=1):
        bias = {"bias_quantizer": self.quantized_bits(6, 1, alpha=1)}
        return bias | {
            f"{name}_quantizer": self.quantized_bits(4, 0, alpha=alpha) for name in names
        }

    def unsigned(self, x):
        return self.QActivation(self.quantized_relu(6, 2))(x)


@pytest.fixture(scope="module")
def k(keras):
    return Heads(keras)


#: Layers by what is done to them: shape of the input, and the layer.
LAYERS = {
    "dilation": (IMAGE, lambda k: k.Conv2D(3, (2, 3), dilation_rate=(3, 2))),
    "dilation same": (IMAGE, lambda k: k.Conv2D(3, 3, dilation_rate=2, padding="same")),
    "dilation causal": (ROW, lambda k: k.Conv1D(3, 3, dilation_rate=2, padding="causal")),
    "dilation separable": (ROW, lambda k: k.SeparableConv1D(3, 2, dilation_rate=3)),
    "dilation depthwise": (IMAGE, lambda k: k.DepthwiseConv2D(2, dilation_rate=2, padding="same")),
    "dilation quantized": (
        IMAGE,
        lambda k: k.QConv2D(3, 2, dilation_rate=2, **k.q("kernel", alpha="auto_po2")),
    ),
    "groups": (IMAGE, lambda k: k.Conv2D(6, 3, groups=2)),
    "groups of one": (ROW, lambda k: k.Conv1D(8, 2, groups=4, strides=2, dilation_rate=1)),
    "groups quantized": (IMAGE, lambda k: k.QConv2D(6, 3, groups=2, **k.q("kernel", alpha="auto"))),
    "multiplier": (IMAGE, lambda k: k.DepthwiseConv2D(3, depth_multiplier=3, padding="same")),
    "multiplier strided": (
        IMAGE,
        lambda k: k.DepthwiseConv2D(3, strides=2, depth_multiplier=2, activation="relu"),
    ),
    "multiplier 1d": (ROW, lambda k: k.DepthwiseConv1D(3, depth_multiplier=2)),
    "multiplier separable": (
        ROW,
        lambda k: k.SeparableConv1D(3, 3, depth_multiplier=2, activation="relu"),
    ),
    "multiplier quantized": (
        IMAGE,
        lambda k: k.QDepthwiseConv2D(2, depth_multiplier=2, **k.q("depthwise")),
    ),
    "multiplier separable quantized": (
        IMAGE,
        lambda k: k.QSeparableConv2D(3, 2, depth_multiplier=2, **k.q("depthwise", "pointwise")),
    ),
    "relu limit": (ROW, lambda k: k.ReLU(1.5)),
    "relu six": (ROW, lambda k: k.ReLU(6)),
    "relu six behind": (ROW, lambda k: k.Conv1D(3, 2, activation="relu6")),
    "relu threshold": (ROW, lambda k: k.ReLU(threshold=0.5)),
    "relu slope": (ROW, lambda k: k.ReLU(negative_slope=0.25)),
    "relu all": (ROW, lambda k: k.ReLU(2, negative_slope=0.5, threshold=0.75)),
    "relu slope limit": (ROW, lambda k: k.ReLU(3, negative_slope=0.125)),
    "relu slope threshold": (ROW, lambda k: k.ReLU(negative_slope=0.5, threshold=1)),
    "pool same": (IMAGE, lambda k: lambda x: k.MaxPooling2D(2, padding="same")(k.unsigned(x))),
    "pool same signed": (IMAGE, lambda k: k.MaxPooling2D((4, 3), (4, 3), padding="same")),
    "pool same signed row": (ROW, lambda k: k.MaxPooling1D(4, padding="same")),
    "pool overlapping": (IMAGE, lambda k: k.MaxPooling2D(3, 2)),
    "pool overlapping same": (IMAGE, lambda k: k.MaxPooling2D((3, 4), (2, 1), padding="same")),
    "means same": (IMAGE, lambda k: k.AveragePooling2D(2, padding="same")),
    "means same in rows": (ROW, lambda k: k.AveragePooling1D(2, padding="same")),
    "means overlapping": (IMAGE, lambda k: k.AveragePooling2D((2, 4), 1)),
    "means apart": (IMAGE, lambda k: k.AveragePooling2D((2, 1), 3)),
    "smooth": ((3, 2, 2), lambda k: k.UpSampling2D((4, 2), interpolation="bilinear")),
    "causal strides": (ROW, lambda k: k.Conv1D(3, 3, strides=2, padding="causal")),
    "window of a row": (IMAGE, lambda k: k.Conv2D(2, (1, 3), strides=2, padding="same")),
    "window of a row depthwise": (IMAGE, lambda k: k.DepthwiseConv2D((1, 2), strides=(3, 3))),
    "window of a row quantized": (
        IMAGE,
        lambda k: k.QConv2D(2, (1, 2), strides=(2, 1), **k.q("kernel", alpha="auto_po2")),
    ),
    "norm axis": (IMAGE, lambda k: k.BatchNormalization(axis=1, epsilon=0)),
    "norm middle axis": (IMAGE, lambda k: k.BatchNormalization(axis=-2, epsilon=0)),
    "norm of two axes": (IMAGE, lambda k: k.BatchNormalization(axis=[1, 3], epsilon=0)),
    "norm of rank 4": ((2, 3, 2, 2), lambda k: k.BatchNormalization(epsilon=0)),
    "norm of an axis of rank 4": ((2, 3, 2, 2), lambda k: k.BatchNormalization(axis=2, epsilon=0)),
    "keepdims": (IMAGE, lambda k: k.GlobalMaxPooling2D(keepdims=True)),
    "dense rank 4": ((2, 3, 2, 4), lambda k: k.Dense(3)),
    "repeat": ((6,), lambda k: k.RepeatVector(3)),
    "slopes": (IMAGE, lambda k: k.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform")),
    "flatten behind": ((2, 2, 2), lambda k: lambda x: k.unsigned(k.Flatten()(x))),
    "flatten twice": (
        (2, 3, 2),
        lambda k: lambda x: (lambda f: k.Concatenate()([f, k.Dense(2)(f)]))(k.Flatten()(x)),
    ),
    "open size": (IMAGE, lambda k: lambda x: k.unsigned(k.Reshape((-1, 8))(x))),
    "row behind": ((2, 3, 2), lambda k: lambda x: k.unsigned(k.Reshape((-1,))(x))),
    "pixels of other sizes": ((3, 2), lambda k: lambda x: k.Reshape((2, 3))(k.unsigned(x))),
    "merge with channels": (
        IMAGE,
        lambda k: lambda x: k.Multiply()([x, k.GlobalMaxPooling2D(keepdims=True)(x)]),
    ),
    "merge with a vector": (
        ROW,
        lambda k: lambda x: k.Subtract()([k.GlobalMaxPooling1D()(x), x]),
    ),
    "merge with a mask": (
        IMAGE,
        lambda k: lambda x: k.Multiply()([x, k.Conv2D(1, 1)(x)]),
    ),
    "merge with rows": (
        IMAGE,
        lambda k: lambda x: k.Maximum()([k.Cropping2D(((0, 0), (2, 2)))(x), x]),
    ),
    "merge of both": (
        ROW,
        lambda k: lambda x: k.Add()([k.Cropping1D((4, 4))(x), k.Conv1D(1, 1)(x)]),
    ),
    "merge of three": (ROW, lambda k: lambda x: k.Add()([x, k.Conv1D(4, 1)(x), x])),
    "average of four": (
        ROW,
        lambda k: lambda x: k.Average()([x, k.Conv1D(4, 1)(x), k.unsigned(x), x]),
    ),
    "concatenation of three": (
        IMAGE,
        lambda k: lambda x: k.Concatenate(axis=2)([x, k.Conv2D(4, 1)(x), k.unsigned(x)]),
    ),
    "softmax first": (ROW, lambda k: k.Softmax(1)),
    "softmax of two": ((3, 2, 2), lambda k: k.Softmax((1, 3))),
}

#: In streams convolutions with unlike strides stand for these, which not every TensorFlow computes.
HARDWARE_ONLY = {"pool apart": (IMAGE, lambda k: k.MaxPooling2D((2, 1), (3, 2)))}


def network_of(keras, k, names):
    """A model of one head per layer, its weights on a grid, and the model as a network."""
    layers = [(LAYERS | HARDWARE_ONLY)[name] for name in names]
    inputs = [keras.Input(shape, name=f"in{i}") for i, (shape, _) in enumerate(layers)]
    heads = [layer(k)(x) for x, (_, layer) in zip(inputs, layers, strict=True)]
    model = keras.Model(inputs, heads, name="heads")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = []
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            exact = {"variance": [0.25, 1, 4], "gamma": [0.5, 1, 2], "alpha": [0.25, 0.5]}
            choices = next((exact[key] for key in exact if key in variable.name), None)
            values.append(
                rng.integers(-8, 9, value.shape) / 8
                if choices is None
                else rng.choice(choices, value.shape)
            )
        layer.set_weights(values)
    return model, load(model)


def words(network, seed=0):
    """Samples on a grid of 1/8 within a few bits, among them zeros."""
    rng = np.random.default_rng(seed)
    shapes = shapes_of(network)
    return [rng.integers(-28, 29, (5, *shapes[name])) / 8 for name in network.inputs]


@pytest.fixture(scope="module")
def heads(keras, k):
    return network_of(keras, k, list(LAYERS))


def test_shapes_are_those_of_keras(heads):
    model, network = heads
    shapes = shapes_of(network)
    for layer in model.layers:
        assert shapes[layer.name] == tuple(layer.output_shape[1:]) or layer.name in network.inputs


@pytest.mark.parametrize("io", [pytest.param("parallel", marks=pytest.mark.full), "stream"])
def test_keras_makes_the_same_of_what_stands_in_their_place(heads, io):
    model, network = heads
    x = words(network)
    expected = model.predict([values.astype(np.float32) for values in x], verbose=0)
    found = predict(supported(network, io), x).outputs
    for name, ours, theirs in zip(LAYERS, found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=name)


#: Heads whose values all stand on grids that hls4ml's types hold: equal, not close.
EXACT = [
    name
    for name in LAYERS | HARDWARE_ONLY
    if "alpha" not in name and name != "groups quantized" and "softmax" not in name
]


def heads_in_hardware(keras, k, io, directory):
    """Samples, what the heads make of them in Keras, the design and its graph."""
    names = [name for name in EXACT if not (io == "stream" and name == "dense rank 4")]
    model, network = network_of(keras, k, names)
    graph = convert(network, None, ConvertOptions(io=io, input_precision="fixed<8,5>"), directory)
    x = words(network)
    expected = model.predict([values.astype(np.float32) for values in x], verbose=0)
    return x, dict(zip(names, expected, strict=True)), lower(graph), graph


@pytest.mark.parametrize("io", ["parallel", pytest.param("stream", marks=pytest.mark.full)])
def test_hardware_makes_the_same_of_them_as_keras(keras, k, io, tmp_path):
    x, expected, design, _ = heads_in_hardware(keras, k, io, tmp_path)
    raw = [from_float(values, t.type) for values, t in zip(x, design.inputs, strict=True)]
    values = golden.run(design, raw)
    for (name, theirs), tensor in zip(expected.items(), design.outputs, strict=True):
        ours = to_float(values[tensor.name], tensor.type.frac).reshape(theirs.shape)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2**-9, err_msg=name)


@pytest.mark.full
@pytest.mark.parametrize("io", IO)
def test_the_c_plus_plus_of_them_is_what_golden_says(keras, k, io, tmp_path):
    x, expected, design, graph = heads_in_hardware(keras, k, io, tmp_path)
    write_hls(graph, tmp_path)
    raw = [from_float(values, t.type) for values, t in zip(x, design.inputs, strict=True)]
    values = golden.run(design, raw)
    for name, tensor, theirs in zip(
        expected, design.outputs, Emulation(tmp_path).predict(x), strict=True
    ):
        ours = to_float(values[tensor.name], tensor.type.frac).reshape(theirs.shape)
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


#: Layers that tf-keras runs with channels behind only, on a processor.
CHANNELS = {
    "Conv2D": lambda k, **more: k.Conv2D(3, 2, padding="same", **more),
    "SeparableConv2D": lambda k, **more: k.SeparableConv2D(3, 2, **more),
    "MaxPooling2D": lambda k, **more: k.MaxPooling2D(2, **more),
    "GlobalAveragePooling2D": lambda k, **more: k.GlobalAveragePooling2D(**more),
    "ZeroPadding2D": lambda k, **more: k.ZeroPadding2D(((1, 2), (0, 3)), **more),
    "UpSampling2D": lambda k, **more: k.UpSampling2D((2, 3), **more),
    "Flatten": lambda k, **more: k.Flatten(**more),
}


@pytest.mark.parametrize("kind", CHANNELS)
def test_channels_first_is_channels_last_of_turned_images(keras, k, kind):
    x = keras.Input((5, 6, 4))
    last = keras.Model(x, CHANNELS[kind](k, name="a")(x))
    network = load(last)
    turned = [
        replace(
            layer,
            arguments=MappingProxyType(
                {**layer.arguments, "shape": (4, 5, 6)}
                if layer.kind == "InputLayer"
                else {**layer.arguments, "data_format": "channels_first"}
            ),
        )
        for layer in network.layers
    ]
    images = np.random.default_rng(0).normal(size=(3, 5, 6, 4)).astype(np.float32)
    expected = last.predict(images, verbose=0)
    if expected.ndim == 4:
        expected = expected.transpose(0, 3, 1, 2)
    rewritten = supported(replace(network, layers=tuple(turned)))
    model = rebuilt(keras, rewritten)
    found = model.predict(images.transpose(0, 3, 1, 2), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_permutations_that_undo_each_other_go(keras, k):
    x = keras.Input((4, 6, 5))
    y = k.Conv2D(3, 2, data_format="channels_first", name="a")(x)
    y = k.MaxPooling2D(2, data_format="channels_first", name="b")(y)
    y = k.Flatten(data_format="channels_first", name="c")(y)
    kinds = [layer.kind for layer in supported(load(keras.Model(x, y))).layers]
    assert kinds == ["InputLayer", "Permute", "Conv2D", "MaxPooling2D", "Flatten"]


@pytest.mark.parametrize(
    ("quantizer", "layer"),
    [
        ("binary", lambda k, q: k.QConv2D(3, 2, dilation_rate=2, kernel_quantizer=q, name="a")),
        ("ternary", lambda k, q: k.QConv2D(4, 2, groups=2, kernel_quantizer=q, name="a")),
        (
            "quantized_bits(1,0,alpha=1)",
            lambda k, q: k.QConv1D(3, 2, dilation_rate=2, kernel_quantizer=q, name="a"),
        ),
        (
            "quantized_bits(4,0,alpha='auto')",
            lambda k, q: k.QDepthwiseConv2D(2, depth_multiplier=2, depthwise_quantizer=q, name="a"),
        ),
    ],
)
def test_zeros_that_a_quantizer_would_change_are_refused(keras, k, quantizer, layer):
    shape = (6, 4) if "(1,0" in quantizer else IMAGE
    x = keras.Input(shape)
    model = keras.Model(x, layer(k, quantizer)(x))
    with pytest.raises(UnsupportedError, match="layer 'a'"):
        supported(load(model))


def test_notes_say_what_was_done_to_which_layer(keras, k):
    x = keras.Input(IMAGE)
    network = load(keras.Model(x, k.Conv2D(3, 2, dilation_rate=2, groups=1, name="a")(x)))
    assert supported(network).notes == (
        "layer 'a': dilation_rate=[2, 2] as zeros in a larger kernel",
    )


def test_convert_says_what_was_done(keras, k, tmp_path, capsys):
    from gatewright.cli import main

    x = keras.Input((3,))
    keras.Model(x, k.ReLU(2.5, name="bent")(k.Dense(2, name="fc")(x))).save(tmp_path / "m.h5")
    for _ in range(2):  # made, and found up to date
        with pytest.raises(SystemExit, match="0"):
            main(["convert", str(tmp_path / "m.h5"), "-o", str(tmp_path / "p")])
        assert "layer 'bent': relu clipped at 2.5 as 2.5 - relu(" in capsys.readouterr().err
