"""hls4ml's own GarNet layer, from files and live models to hardware; its own class is the judge."""

import inspect

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert, load
from gatewright.frontend.kinds import KINDS
from gatewright.frontend.reference import predict
from gatewright.lower import lower
from gatewright.options import ConvertOptions


@pytest.fixture(scope="module")
def made(keras):
    """Makes a model of a GarNet."""
    from hls4ml.contrib.garnet import GarNet

    def make(vertices=8, before=None, dtype="uint16", **arguments):
        given = {"simplified": True, "output_activation": None, "collapse": "mean", **arguments}
        x = keras.Input((vertices, 3), name="points")
        count = keras.Input((1,), dtype=dtype, name="count")
        read = x if before is None else before(x)
        model = keras.Model([x, count], GarNet(3, 4, 2, name="g", **given)([read, count]))
        rng = np.random.default_rng(7)
        for weight in model.weights:
            weight.assign(rng.normal(0, 0.5, weight.shape))
        return model

    return make


def samples(vertices=8, lowest=0):
    """Points within -2 and 2, and every number of vertices, also one beyond all."""
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 129, (6 * (vertices + 2), vertices, 3)) / 64
    count = np.resize(np.arange(lowest, vertices + 2), len(x))
    return [x.astype(np.float32), count[:, np.newaxis].astype(np.float32)]


def outputs(design, inputs):
    """What the hardware gives."""
    raw = [from_float(x, tensor.type) for x, tensor in zip(inputs, design.inputs, strict=True)]
    (output,) = design.outputs
    return to_float(golden.run(design, raw)[output.name], output.type.frac)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"collapse": None},
        {"collapse": None, "mean_by_nvert": True},
        {"vertices": 1},
        {"vertices": 32, "dtype": "float32", "output_activation": "linear"},
    ],
    ids=str,
)
@pytest.mark.parametrize("reuse", [1, "all"])
def test_hardware_is_what_the_layer_predicts(made, arguments, reuse):
    model = made(**arguments)
    vertices = arguments.get("vertices", 8)
    options = ConvertOptions(reuse_factor=vertices if reuse == "all" else reuse)
    design = lower(convert(model, options=options))
    inputs = samples(vertices, lowest=1 if arguments.get("mean_by_nvert") else 0)
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs(design, inputs), expected, atol=0.02)
    assert np.abs(expected).max() > 0.5
    assert str(design.inputs[1].type).startswith("ufixed")


def test_a_mean_of_no_vertices_is_zero(made):
    design = lower(convert(made(collapse=None, mean_by_nvert=True)))
    assert not outputs(design, [samples()[0][:1], np.zeros((1, 1))]).any()


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_files_hold_the_model(made, tmp_path, ending):
    model = made()
    model.save(tmp_path / f"net.{ending}")
    inputs = samples()
    live, read = (lower(convert(each)) for each in (model, tmp_path / f"net.{ending}"))
    np.testing.assert_array_equal(outputs(live, inputs), outputs(read, inputs))
    again = predict(load(tmp_path / f"net.{ending}"), inputs)
    (found,) = again.outputs
    np.testing.assert_allclose(found, model.predict(inputs, verbose=0), atol=1e-5)


def test_large_features_neither_wrap_nor_saturate(made, keras):
    """What saturates in hls4ml's own C++: a term of a distance beyond 8, which another cancels."""
    model = made(before=lambda x: keras.layers.ReLU()(x))
    weights = {weight.name.rpartition("/")[2]: weight for weight in model.weights}
    weights["S_kernel:0"].assign(np.array([[4.0] * 3, [-4.0] * 3, [0.0] * 3]))
    weights["S_bias:0"].assign([0.0, 0.5, -0.5])
    rng = np.random.default_rng(3)
    x = rng.integers(0, 1000, (50, 8, 3)) / 32
    x[..., 1] = x[..., 0]
    inputs = [x.astype(np.float32), np.full((50, 1), 8, np.float32)]
    expected = model.predict(inputs, verbose=0)
    found = outputs(lower(convert(model)), inputs)
    assert np.abs(expected).max() > 10
    np.testing.assert_allclose(found, expected, rtol=0.005, atol=0.1)


def test_features_of_few_bits_have_exact_sums(made, keras):
    from qkeras import QActivation, quantized_relu

    model = made(before=lambda x: QActivation(quantized_relu(2, 1))(x))
    inputs = samples()
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs(lower(convert(model)), inputs), expected, atol=0.01)


def test_features_of_wide_sums_are_narrowed(made, keras):
    model = made(before=lambda x: keras.layers.Dense(3)(keras.layers.Dense(5)(x)))
    design = lower(convert(model))
    assert design.kernels[-1].inputs[0].type.width <= 31
    expected = model.predict(samples(), verbose=0)
    np.testing.assert_allclose(outputs(design, samples()), expected, atol=0.02)


def test_small_factors_have_enough_bits(made):
    model = made()
    weights = {weight.name.rpartition("/")[2]: weight for weight in model.weights}
    weights["Fout_kernel:0"].assign(weights["Fout_kernel:0"] / 256)
    weights["Fout_bias:0"].assign(np.zeros(4))
    settings = (("points.precision.result", "fixed<10,3>"),)
    design = lower(convert(model, options=ConvertOptions(settings=settings)))
    expected = model.predict(samples(), verbose=0)
    largest = np.abs(expected).max()
    assert largest < 0.01
    np.testing.assert_allclose(outputs(design, samples()), expected, atol=largest / 50)


def test_types_can_be_set(made):
    types = {"aggr": "fixed<22,7>", "edge_weight": "ufixed<8,0,TRN,SAT>",
             "edge_weight_aggr": "ufixed<14,4>", "input_transform_weights": "fixed<9,3,RND,SAT>",
             "result": "fixed<12,5,RND,SAT>"}  # fmt: skip
    settings = tuple((f"g.precision.{name}", to) for name, to in types.items())
    design = lower(convert(made(), options=ConvertOptions(settings=settings)))
    found = {name: str(to) for name, to in design.kernels[-1].types().items()}
    names = ("accum", "edge", "edge_sum", "transform", "result")
    assert [found[name] for name in names] == list(types.values())
    settings += (("g.precision.aggr", "auto"), ("g.precision.input_transform_weights", "auto"))
    again = lower(convert(made(), options=ConvertOptions(settings=settings))).kernels[-1]
    usual = lower(convert(made())).kernels[-1]
    assert again.transform_type == usual.transform_type
    assert str(again.accum) != types["aggr"]


REFUSED = {
    "a tanh": ({"output_activation": "tanh"}, "output_activation='tanh'; use output_activation=N"),
    "a maximum": ({"collapse": "max"}, "no C++ for collapse='max'; use 'mean', or None"),
    "a sum": ({"collapse": "sum"}, "no C++ for collapse='sum'; use 'mean', or None"),
    "a sum by number": ({"mean_by_nvert": True}, "with mean_by_nvert=True adds them up"),
    "six vertices": ({"vertices": 6}, "divides by a power of two, not by its 6 vertices"),
    "quantized": (
        {"quantize_transforms": True, "total_bits": 2, "int_bits": 1},
        "which files don't say; use quantize_transforms=False",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_hls4ml_lacks_is_refused(made, case):
    arguments, reason = REFUSED[case]
    with pytest.raises(UnsupportedError) as caught:
        convert(made(**arguments))
    assert reason in str(caught.value)
    assert "layer 'g' (GarNet)" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"simplified": False}, "no C++ for simplified=False; use simplified=True"),
        ({"input_format": "x"}, "reads 2 tensors, but a GarNet takes one"),
        ({"input_format": "xen"}, "reads 2 tensors, but a GarNet takes three"),
        ({"input_format": "y"}, "input_format must be one of x, xn, xen"),
        ({"collapse": "median"}, "collapse must be one of mean, sum, max"),
        ({"n_aggregators": 0}, "n_aggregators must be an integer from 1"),
        ({"n_filters": 5}, "weight 'Fout_kernel' has shape"),
        ({"simplified": "yes"}, "simplified must be true or false"),
        ({"total_bits": 4}, "no argument 'total_bits' that is known"),
    ],
)
def test_wrong_arguments_of_files_are_refused(made, arguments, reason):
    model = made()
    layer = model.get_layer("g")
    config = {**layer.get_config(), **arguments}
    layer.get_config = lambda: config
    with pytest.raises(InputError) as caught:
        convert(model)
    assert reason in str(caught.value)
    assert "layer 'g'" in str(caught.value)


def test_numbers_of_other_shapes_are_refused(keras):
    from hls4ml.contrib.garnet import GarNet

    x, count = keras.Input((4, 3)), keras.Input((2,))
    layer = GarNet(3, 4, 2, name="g", simplified=True, output_activation=None)
    layer.build(((None, 4, 3), (None, 1)))
    layer.call = lambda read: read[0]
    with pytest.raises(InputError, match="layer 'g': a GarNet can't read a tensor of 4 x 3 and 2"):
        convert(keras.Model([x, count], layer([x, count])))


def test_a_number_that_is_no_whole_one_is_refused(made):
    options = ConvertOptions(settings=(("count.precision.result", "fixed<8,4>"),))
    with pytest.raises(UnsupportedError, match=r"fixed<8,4>, is no unsigned integer that holds 8"):
        convert(made(), options=options)


def test_a_reuse_factor_divides_the_vertices(made):
    with pytest.raises(InputError, match="layer 'g': its reuse factor, 3, must divide its 8 vert"):
        convert(made(), options=ConvertOptions(reuse_factor=3))


def test_streams_are_refused(made):
    with pytest.raises(UnsupportedError, match=r"no C[+][+] for it in io_stream; use io_parallel"):
        convert(made(), options=ConvertOptions(io="stream"))


@pytest.fixture
def stacked(keras):
    """Makes a model of a GarNetStack."""
    from hls4ml.contrib.garnet import GarNetStack

    def make(**arguments):
        given = {"simplified": True, "output_activation": None, "quantize_transforms": None}
        stack = GarNetStack([3, 2, 2], [4, 4, 3], [2, 3, 1], name="s", **given | arguments)
        x, count = keras.Input((8, 3)), keras.Input((1,), dtype="uint16")
        model = keras.Model([x, count], stack([x, count]))
        rng = np.random.default_rng(4)
        for weight in model.weights:
            weight.assign(rng.normal(0, 0.5, weight.shape))
        return model

    return make


@pytest.mark.parametrize("collapse", [None, "mean"])
def test_a_stack_becomes_its_layers(stacked, tmp_path, collapse):
    model = stacked(collapse=collapse)
    lines = []
    design = lower(convert(model, notice=lines.append))
    assert lines[0] == "layer 's': a stack as 3 layers"
    assert [kernel.layer for kernel in design.kernels] == ["s_0", "s_1", "s"]
    expected = model.predict(samples(), verbose=0)
    np.testing.assert_allclose(outputs(design, samples()), expected, atol=0.02)
    model.save(tmp_path / "net.keras")
    (again,) = predict(load(tmp_path / "net.keras"), samples()).outputs
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_a_stack_with_quantizers_is_refused(stacked):
    model = stacked(quantize_transforms=False, total_bits=4, int_bits=0)
    with pytest.raises(UnsupportedError, match=r"layer 's' .* unless quantize_transforms=None"):
        convert(model)
    with pytest.raises(UnsupportedError, match="no C\\+\\+ for output_activation='tanh'"):
        convert(stacked(output_activation="tanh"))


def test_a_stack_of_unlike_lists_is_refused(stacked):
    model = stacked()
    layer = model.get_layer("s")
    config = {**layer.get_config(), "n_filters": [4, 4]}
    layer.get_config = lambda: config
    with pytest.raises(InputError, match="layer 's': a GarNetStack can't read a tensor of 8 x 3"):
        convert(model)


def test_layers_can_share_a_number_of_vertices(keras):
    from hls4ml.contrib.garnet import GarNet

    given = {"simplified": True, "output_activation": None}
    count = keras.Input((1,), dtype="uint16")
    points, few = keras.Input((8, 3)), keras.Input((4, 2))
    inner = GarNet(2, 3, 2, **given)([points, count])
    results = [GarNet(2, 3, 2, collapse="mean", **given)([x, count]) for x in (inner, few)]
    model = keras.Model([points, few, count], keras.layers.Concatenate()(results))
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    design = lower(convert(model))
    assert str(design.inputs[2].type) == "ufixed<4,4,TRN,SAT>"
    x, number = samples()
    inputs = [x, x[:, :4, :2], number]
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs(design, inputs), expected, atol=0.02)


def test_the_number_of_vertices_needs_no_known_range(made):
    lines = []
    convert(made(), notice=lines.append)
    assert [line.partition(":")[0] for line in lines] == ["input 'points'"]


def test_every_argument_of_the_class_is_known():
    """`total_bits` and `int_bits` are in no file: the class leaves them out."""
    from hls4ml.contrib.garnet import GarNet

    names = list(inspect.signature(GarNet.__init__).parameters)
    unknown = {"self", "kwargs", "total_bits", "int_bits"}
    assert set(names) - unknown == set(KINDS["GarNet"].arguments)
