"""Every layer in both io types: hls4ml's C++ computes what Keras does, or the layer is refused."""

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.emulation import Emulation
from gatewright.errors import InputError
from gatewright.fixed import FixedType, from_float, to_float
from gatewright.frontend import convert, write_hls
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from live_models import Layers

IO = ("parallel", "stream")
IMAGE = (5, 6, 2)


class Heads(Layers):
    """Layers, with what they are quantized by here."""

    def bits(self, bits=6, integer=0, alpha=1):
        return self.quantized_bits(bits, integer, alpha=alpha)

    def q(self, **more):
        return {"bias_quantizer": self.bits(6, 1), **more}

    def relu(self, name):
        return self.QActivation(self.quantized_relu(6, 2), name=name)

    def two(self, name, layer):
        """A layer on two quantized views of one tensor."""
        first = self.QActivation(self.bits(6, 2), name=f"{name}_a")
        return lambda x: layer([first(x), self.relu(f"{name}_b")(x)])


@pytest.fixture(scope="module")
def k(keras):
    return Heads(keras)


def forest(keras, heads):
    """A model of independent heads, so that one compiler run covers many layers.

    A head with a list of shapes reads as many inputs.
    """
    inputs, outputs = [], []
    for i, (shape, head) in enumerate(heads):
        if isinstance(shape, list):
            read = [keras.Input(each, name=f"in{i}_{j}") for j, each in enumerate(shape)]
            inputs += read
        else:
            read = keras.Input(shape, name=f"in{i}")
            inputs.append(read)
        outputs.append(head(read))
    model = keras.Model(inputs, outputs, name="forest")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = []
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            if "variance" in variable.name:
                # One less the epsilon, so that the scale is a power of two.
                values.append(rng.choice([0.25, 1, 4], value.shape) - 1e-3)
            elif "gamma" in variable.name:
                values.append(rng.choice([0.5, 1, 2], value.shape))
            elif "mean" in variable.name or "beta" in variable.name:
                values.append(rng.integers(-8, 9, value.shape) / 8)
            else:
                values.append(rng.normal(0, 0.5, value.shape))
        layer.set_weights(values)
    return model


def samples(graph):
    rng = np.random.default_rng(1)
    found = []
    for variable in graph.get_input_variables():
        to = FixedType.parse(str(variable.type.precision))
        low, high = (0, 40) if to.frac == 0 else (to.lowest, to.max + 1)
        found.append(rng.integers(low, high, (12, *variable.shape)) / 2.0**to.frac)
    return found


def emulated(model, directory, io, **options):
    settings = {"input_precision": "fixed<8,3>", **options}
    graph = convert(model, None, ConvertOptions(io=io, **settings), directory)
    write_hls(graph, directory)
    x = samples(graph)
    outputs, layers = Emulation(directory).trace(x)
    return graph, x, outputs, layers


def assert_equals_keras(model, x, outputs, layers):
    expected = model.predict([values.astype(np.float32) for values in x], verbose=0)
    names = model.output_names
    for name, ours, theirs in zip(names, outputs, expected, strict=True):
        np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs, err_msg=name)
        if name in layers:
            np.testing.assert_array_equal(layers[name].reshape(theirs.shape), theirs, name)


def convolutions(k):
    kernel = k.q(kernel_quantizer=k.bits(4))
    return [
        (IMAGE, lambda x: k.QConv2D(3, 3, strides=2, padding="same", name="conv", **kernel)(x)),
        (IMAGE, lambda x: k.QConv2D(3, (3, 2), strides=(2, 1), name="valid", **kernel)(x)),
        ((7, 2), lambda x: k.QConv1D(3, 3, padding="causal", name="causal", **kernel)(x)),
        ((9, 2), lambda x: k.QConv1D(3, 3, strides=2, name="strided", **kernel)(x)),
        (IMAGE, lambda x: k.QConv2D(3, 1, strides=2, name="pointwise", **kernel)(x)),
        (IMAGE, lambda x: k.QDense(3, name="last_axis", **kernel)(x)),
    ]


def depthwise(k):
    narrow, auto = k.bits(4), k.bits(4, alpha="auto_po2")
    return [
        (
            IMAGE,
            lambda x: k.QDepthwiseConv2D(
                3, padding="same", name="depthwise", **k.q(depthwise_quantizer=auto)
            )(x),
        ),
        (
            IMAGE,
            lambda x: k.QSeparableConv2D(
                3,
                3,
                padding="same",
                name="separable",
                **k.q(depthwise_quantizer=narrow, pointwise_quantizer=auto),
            )(x),
        ),
        (
            (7, 2),
            lambda x: k.QSeparableConv1D(
                3, 3, name="separable1", **k.q(depthwise_quantizer=auto, pointwise_quantizer=narrow)
            )(x),
        ),
    ]


def quantizers(k):
    auto = k.bits(4, alpha="auto_po2")

    def conv(name, quantizer, **more):
        return lambda x: k.QConv2D(3, 3, name=name, **k.q(kernel_quantizer=quantizer), **more)(x)

    return [
        (IMAGE, conv("auto", auto)),
        (IMAGE, conv("binary", k.binary(alpha=1))),
        (IMAGE, conv("binary_auto", k.binary(alpha="auto_po2"))),
        (IMAGE, conv("ternary", k.ternary(alpha=1), padding="same")),
        (IMAGE, conv("ternary_auto", k.ternary(alpha="auto_po2"))),
        (
            (7, 2),
            lambda x: k.QConv1D(3, 3, name="po2", **k.q(kernel_quantizer=k.quantized_po2(4)))(x),
        ),
        (
            IMAGE,
            lambda x: k.QDepthwiseConv2D(
                3, name="binary_depthwise", **k.q(depthwise_quantizer=k.binary(alpha="auto_po2"))
            )(x),
        ),
        (IMAGE, lambda x: k.QDense(3, name="dense_auto", **k.q(kernel_quantizer=auto))(x)),
        (
            IMAGE,
            lambda x: k.QConv2DBatchnorm(
                3, 3, name="folded", kernel_quantizer=auto, bias_quantizer=k.bits(12, 4)
            )(x),
        ),
        (
            IMAGE,
            lambda x: k.QBatchNormalization(
                name="norm", mean_quantizer=k.bits(6, 1), beta_quantizer=k.bits(6, 1),
                gamma_quantizer=None, variance_quantizer=None,
            )(x),
        ),
    ]  # fmt: skip


def pooling(k):
    return [
        (IMAGE, lambda x: k.MaxPooling2D(2, name="max")(x)),
        ((9, 2), lambda x: k.MaxPooling1D(3, 2, name="overlapping")(x)),
        (IMAGE, lambda x: k.AveragePooling2D(2, name="mean")(k.relu("mean_in")(x))),
        ((8, 2), lambda x: k.AveragePooling1D(4, name="mean1")(x)),
        ((4, 4, 2), lambda x: k.GlobalAveragePooling2D(name="whole_mean")(x)),
        ((8, 2), lambda x: k.GlobalAveragePooling1D(name="whole_mean1")(k.relu("wm_in")(x))),
        (IMAGE, lambda x: k.GlobalMaxPooling2D(name="whole_max")(x)),
        ((7, 2), lambda x: k.GlobalMaxPooling1D(name="whole_max1")(k.relu("wx_in")(x))),
    ]


def movements(k):
    return [
        ((4, 3, 2), lambda x: k.UpSampling2D((2, 3), name="up")(x)),
        ((4, 2), lambda x: k.UpSampling1D(2, name="up1")(x)),
        (IMAGE, lambda x: k.ZeroPadding2D(((1, 2), (0, 3)), name="pad")(x)),
        ((4, 2), lambda x: k.ZeroPadding1D((1, 2), name="pad1")(x)),
        (IMAGE, lambda x: k.Cropping2D(((1, 2), (0, 3)), name="crop")(x)),
        ((6, 2), lambda x: k.Cropping1D((1, 2), name="crop1")(x)),
        ((4, 3, 2), lambda x: k.Permute((2, 1, 3), name="swap")(x)),
        ((4, 6), lambda x: k.Permute((2, 1), name="swap1")(x)),
        ((4, 6), lambda x: k.Reshape((8, 3), name="narrower")(k.relu("narrower_in")(x))),
        ((24,), lambda x: k.Reshape((4, 6), name="split")(k.relu("split_in")(x))),
        (
            (4, 3, 2),
            lambda x: k.QDense(3, name="flattened", **k.q(kernel_quantizer=k.bits()))(
                k.Flatten(name="flat")(x)
            ),
        ),
        ((4, 3, 2), lambda x: k.Flatten(name="flat_out")(k.relu("flat_in")(x))),
    ]


def merges(k):
    shape = (4, 3, 2)
    return [
        (shape, k.two("joined", k.Concatenate(name="joined"))),
        (shape, k.two("rows", k.Concatenate(axis=1, name="rows"))),
        (shape, k.two("sum", k.Add(name="sum"))),
        (shape, k.two("difference", k.Subtract(name="difference"))),
        (shape, k.two("product", k.Multiply(name="product"))),
        (shape, k.two("mid", k.Average(name="mid"))),
        (shape, k.two("greatest", k.Maximum(name="greatest"))),
        (shape, k.two("least", k.Minimum(name="least"))),
        (shape, lambda x: k.QActivation(k.quantized_tanh(6), name="hard_tanh")(x)),
        (shape, lambda x: k.QActivation(k.quantized_sigmoid(6), name="hard_sigmoid")(x)),
        (shape, lambda x: k.QActivation(k.binary(alpha=1), name="signs")(x)),
        ((6,), lambda x: k.QActivation(k.ternary(alpha=1), name="trits")(x)),
        (shape, lambda x: k.LeakyReLU(0.25, name="leaky")(x)),
    ]


def network(k):
    """One of each kind that a small residual network has, in one chain."""

    def build(x):
        kernel = k.q(kernel_quantizer=k.bits(4))
        y = left = k.relu("act1")(k.QConv2D(4, 3, padding="same", name="conv1", **kernel)(x))
        y = k.QDepthwiseConv2D(
            3, padding="same", name="conv2", **k.q(depthwise_quantizer=k.bits(4))
        )(y)
        y = k.Add(name="residual")([k.relu("act2")(y), left])
        y = k.AveragePooling2D(2, name="pool")(y)
        y = k.relu("act3")(k.QDense(3, name="mix", **kernel)(y))
        return k.QDense(2, name="out", **kernel)(k.Flatten(name="flat")(y))

    return [(IMAGE, build), (IMAGE, lambda x: k.GlobalMaxPooling2D(name="peak")(x))]


@pytest.mark.parametrize("io", [pytest.param("parallel", marks=pytest.mark.full), "stream"])
def test_a_network_equals_keras_layer_by_layer(keras, k, io, tmp_path):
    model = forest(keras, network(k))
    graph, x, outputs, layers = emulated(model, tmp_path / "hls", io, reuse_factor=2)
    assert_equals_keras(model, x, outputs, layers)
    names = ["conv1", "act1", "conv2", "act2", "residual", "pool", "mix", "act3", "out"]
    probe = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    for name, theirs in zip(names, probe.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(layers[name], theirs, err_msg=name)
    assert graph.graph["conv2"].get_attr("gatewright_reuse_factor") == 2


@pytest.mark.full
@pytest.mark.parametrize("io", IO)
@pytest.mark.parametrize("heads", [convolutions, depthwise, quantizers, pooling, movements, merges])
def test_layers_equal_keras(keras, k, heads, io, tmp_path):
    model = forest(keras, heads(k))
    _, x, outputs, layers = emulated(model, tmp_path / "hls", io)
    assert_equals_keras(model, x, outputs, layers)


def floats(k):
    """Layers whose C++ holds tables, or more kinds of types."""
    return [
        ((4, 3), lambda x: k.Softmax(name="soft")(x)),
        ((4,), lambda x: k.Activation("tanh", name="tanh")(x)),
        ((4,), lambda x: k.Activation("hard_sigmoid", name="hard")(x)),
        ((4,), lambda x: k.ELU(name="elu")(x)),
        ((4,), lambda x: k.PReLU(name="prelu")(x)),
        (IMAGE, lambda x: k.BatchNormalization(name="norm")(x)),
    ]


@pytest.mark.parametrize("io", [pytest.param("parallel", marks=pytest.mark.full), "stream"])
@pytest.mark.parametrize(
    "heads",
    [
        *(pytest.param(h, marks=pytest.mark.full) for h in (convolutions, depthwise, quantizers)),
        *(pooling, movements, merges, floats),
    ],
)
def test_a_saved_graph_gives_the_same_files(keras, k, heads, io, tmp_path):
    """No text is taken from it, and yet hls4ml writes what it wrote of the graph that was saved."""
    graph = convert(forest(keras, heads(k)), None, ConvertOptions(io=io))
    graph.save(tmp_path / "saved.fml")
    again = convert(tmp_path / "saved.fml")
    for each, folder in ((graph, tmp_path / "a"), (again, tmp_path / "b")):
        write_hls(each, folder)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    for file in files:
        if file.suffix in (".cpp", ".h", ".txt", ".json") and "ap_types" not in file.parts:
            assert (tmp_path / "b" / file).read_text() == (tmp_path / "a" / file).read_text(), file


@pytest.mark.full
@pytest.mark.parametrize("io", IO)
def test_strategy_and_reuse_leave_the_numbers_alone(keras, k, io, tmp_path):
    model = forest(keras, [*convolutions(k), *depthwise(k)])
    graph, x, outputs, layers = emulated(
        model, tmp_path / "hls", io, strategy="resource", reuse_factor=3
    )
    assert graph.graph["conv"].get_attr("strategy") == "resource"
    assert graph.graph["conv"].get_attr("gatewright_reuse_factor") == 3
    assert_equals_keras(model, x, outputs, layers)


@pytest.mark.full
@pytest.mark.parametrize("io", IO)
def test_layers_of_floats_are_close_to_keras(keras, k, io, tmp_path):
    heads = [
        ((4, 3), lambda x: k.Softmax(name="soft")(x)),
        ((6, 2), lambda x: k.SeparableConv1D(3, 3, name="sep")(x)),
        (IMAGE, lambda x: k.BatchNormalization(name="norm")(x)),
        (
            IMAGE,
            lambda x: k.QDepthwiseConv2D(
                3, name="scaled", **k.q(depthwise_quantizer=k.bits(4, alpha="auto"))
            )(x),
        ),
        (
            IMAGE,
            lambda x: k.QConv2D(3, 3, name="split", **k.q(kernel_quantizer=k.bits(4, 0, "auto")))(
                x
            ),
        ),
    ]
    model = forest(keras, heads)
    _, x, outputs, _ = emulated(model, tmp_path / "hls", io)
    for ours, theirs in zip(outputs, model.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.03)


def test_an_embedding_is_its_table(keras, k, tmp_path):
    model = forest(keras, [((5,), lambda x: k.Embedding(41, 3, name="words")(x))])
    graph, x, outputs, _ = emulated(model, tmp_path / "hls", "parallel", input_precision=None)
    assert str(graph.get_input_variables()[0].type.precision) == "ufixed<6,6,TRN,WRAP,0>"
    np.testing.assert_array_equal(outputs[0], graph.graph["words"].weights["embeddings"].data[
        x[0].astype(int)
    ])  # fmt: skip
    with pytest.raises(
        InputError, match=r"can't hold the index 40; set in0.precision.result=ufixed"
    ):
        convert(model, None, ConvertOptions(input_precision="fixed<8,3>"))


def test_the_sum_of_a_dot_product_is_exact(keras, k, tmp_path):
    pair = (k.two(name, k.Dot(axes=1, name=name)) for name in ("dot", "longer"))
    model = forest(keras, list(zip(((5,), (9,)), pair, strict=True)))
    graph, x, outputs, layers = emulated(model, tmp_path / "hls", "parallel")
    types = graph.graph["dot"].types
    assert str(types["accum_t"].precision) == str(types["result_t"].precision)
    assert_equals_keras(model, x, outputs, layers)


def test_products_of_tensors_along_any_axes_are_exact(keras, k, tmp_path):
    axes = {"rows": (2, 2), "columns": (1, -2), "mixed": (1, -1), "vector": (3, 1)}
    inputs = {"rows": (2, 3), "columns": (2, 3), "mixed": (3, 3), "vector": (2, 2, 2)}
    layers = [k.two(name, k.Dot(axes=each, name=name)) for name, each in axes.items()]
    model = forest(keras, list(zip(inputs.values(), layers, strict=True)))
    graph, x, outputs, layers = emulated(model, tmp_path / "hls", "parallel")
    types = graph.graph["mixed"].types
    assert str(types["accum_t"].precision) == str(types["result_t"].precision)
    assert_equals_keras(model, x, outputs, layers)


@pytest.mark.parametrize("inference", ["safe", pytest.param("hls4ml", marks=pytest.mark.full)])
def test_activations_behind_a_layer_are_quantized(keras, k, inference, tmp_path):
    import qkeras

    quantizers = [
        *(qkeras.quantized_bits(5, 1, alpha=1, **more)
          for more in ({}, {"symmetric": True}, {"keep_negative": False})),
        qkeras.quantized_bits(3, 2, alpha=1),
        qkeras.quantized_relu(3, 3),
    ]  # fmt: skip

    def head(i, quantizer):
        dense = k.QDense(4, name=f"fc{i}", **k.q(kernel_quantizer=k.bits(4)))
        return (6,), lambda x: k.QActivation(quantizer, name=f"act{i}")(dense(x))

    model = forest(keras, [head(i, quantizer) for i, quantizer in enumerate(quantizers)])
    _, x, outputs, layers = emulated(model, tmp_path / "hls", "parallel", inference=inference)
    assert_equals_keras(model, x, outputs, layers)


def sloped(k, slope, bits=5, integer=1):
    return k.quantized_relu(bits, integer, negative_slope=slope)


@pytest.mark.parametrize(
    ("io", "inference"),
    [("parallel", "safe"), pytest.param("stream", "hls4ml", marks=pytest.mark.full)],
)
def test_relus_with_a_slope_end_where_they_do_in_qkeras(keras, k, io, inference, tmp_path):
    kernel = k.q(kernel_quantizer=k.bits(5, 2))

    def behind(layer, quantizer, name):
        return lambda x: k.QActivation(quantizer, name=name)(layer(x))

    def dense(name):
        return k.QDense(4, name=name, **kernel)

    heads = [
        ((6,), behind(dense("fc1"), sloped(k, 0.25), "quarter")),
        ((6,), behind(dense("fc2"), sloped(k, 2.0**-4), "least")),
        ((6,), behind(dense("fc3"), sloped(k, 1), "whole")),
        ((6,), behind(dense("fc4"), sloped(k, 0.5, 3, 2), "no_fraction")),
        ((6,), behind(dense("fc5"), sloped(k, 0.5, 8, 4), "wide")),
        ((3, 3, 2), behind(k.QConv2D(3, 2, name="conv", **kernel), sloped(k, 0.25), "conv_act")),
        ((4,), behind(k.two("sum", k.Add(name="sum")), sloped(k, 0.5), "sum_act")),
        ((4,), behind(k.QActivation(k.bits(6, 1), name="narrow"), sloped(k, 0.5), "narrow_act")),
    ]
    model = forest(keras, heads)
    graph, x, outputs, layers = emulated(model, tmp_path / "hls", io, inference=inference)
    assert_equals_keras(model, x, outputs, layers)
    lowest = {name: layers[name].min() for name in ("quarter", "least", "no_fraction", "sum_act")}
    assert lowest == {"quarter": -0.5, "least": -0.125, "no_fraction": -2, "sum_act": -1}
    for ours, theirs in zip(golden_outputs(graph, x), outputs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def golden_outputs(graph, x):
    design = lower(graph)
    raw = [from_float(values, t.type) for t, values in zip(design.inputs, x, strict=True)]
    found = golden.run(design, raw)
    return [to_float(found[tensor.name], tensor.type.frac) for tensor in design.outputs]


def test_a_relu_with_a_slope_whose_input_goes_too_low_is_refused(keras, k):
    below = "its slope ends at an input of -2, but layer 'in0' goes below that"
    act = k.QActivation(sloped(k, 0.5), name="act")
    with pytest.raises(InputError, match=f"layer 'act': {below}"):
        convert(forest(keras, [((6,), act)]))

    def shared(x):
        x = k.QDense(4, name="fc")(x)
        return k.Add(name="sum")([x, k.QActivation(sloped(k, 0.5), name="act")(x)])

    with pytest.raises(InputError, match=r"layer 'act': .* but layer 'fc' goes below that"):
        convert(forest(keras, [((6,), shared)]))


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"negative_slope": 0.125}, r"negative_slope=0.125 saturates .* from 0.25 to 1"),
        ({"negative_slope": 2.0}, r"negative_slope=2 saturates .* from 0.25 to 1"),
        ({"use_sigmoid": 1}, "hls4ml drops use_sigmoid"),
    ],
)
def test_a_relu_that_hls4ml_reads_as_another_is_refused(keras, k, more, match):
    quantizer = k.quantized_relu(3, 1, **more)
    text = ", ".join(f"{key}={value}" for key, value in more.items())
    for told in (quantizer, f"quantized_relu(3, 1, {text})"):
        layer = k.QActivation(told, name="act")
        with pytest.raises(InputError, match=f"layer 'act': .*{match}") as caught:
            convert(forest(keras, [((6,), layer)]))
        assert "\n" not in str(caught.value)


def test_a_scale_measured_at_run_time_is_refused(keras, k):
    auto = k.QActivation(k.bits(6, alpha="auto"), name="auto")
    model = forest(keras, [((6,), lambda x: auto(k.QDense(4, name="fc")(x)))])
    with pytest.raises(InputError, match=r"layer 'auto': its scale \(alpha=auto\) is measured"):
        convert(model)


REFUSED = {
    "does not pad": (
        "stream",
        lambda k: [(IMAGE, lambda x: k.AveragePooling2D(3, 2, padding="same", name="a")(x))],
    ),
    "ternary activation on a tensor of rank above 1": (
        "stream",
        lambda k: [((3, 2), lambda x: k.QActivation(k.ternary(alpha=1), name="a")(x))],
    ),
    "is an unchanged input": (
        "parallel",
        lambda k: [((3, 2), lambda x: k.Reshape((2, 3), name="a")(x))],
    ),
    "hls4ml has no C[+][+] for it in io_stream; use io_parallel": (
        "stream",
        lambda k: [((3, 2), lambda x: k.Dot(2, name="a")([x, k.relu("r")(x)]))],
    ),
    "interpolation='bilinear'": (
        "parallel",
        lambda k: [(IMAGE, lambda x: k.UpSampling2D(3, interpolation="bilinear", name="a")(x))],
    ),
}


@pytest.mark.parametrize("match", REFUSED)
def test_refusals(keras, k, match):
    io, heads = REFUSED[match]
    with pytest.raises(InputError, match=match) as caught:
        convert(forest(keras, heads(k)), None, ConvertOptions(io=io))
    assert any(f"'{name}'" in str(caught.value) for name in ("a", "perm", "in0"))
    assert "\n" not in str(caught.value)
    if str(caught.value).endswith("use io_parallel"):
        convert(forest(keras, heads(k)), None, ConvertOptions(io="parallel"))
