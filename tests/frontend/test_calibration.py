"""Types from calibration samples, and what a conversion says where nothing bounds values."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_models import dense, write_model
from test_refine import departure, result_type

from gatewright.errors import InputError
from gatewright.fixed import FixedType, from_float, to_float
from gatewright.frontend import calibrate, convert, load
from gatewright.frontend.calibration import Calibration, sample_type
from gatewright.options import ConvertOptions


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0, 255], "ufixed<8,8>"),
        ([-128, 100], "fixed<8,8>"),
        ([0, 200], "ufixed<8,8,RND,SAT>"),
        ([0, 1], "ufixed<2,2,RND,SAT>"),
        ([-300, 2], "fixed<10,10,RND,SAT>"),
        ([0, 0.9], "ufixed<16,1,RND,SAT>"),
        ([-2.5, 1], "fixed<16,4,RND,SAT>"),
        ([0, 1e-4], "ufixed<16,-12,RND,SAT>"),
        ([0, 0], "ufixed<16,1,RND,SAT>"),
    ],
)
def test_types_of_samples(samples, expected):
    assert str(sample_type(np.array(samples, np.float64))) == expected


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1))
def test_integers_are_held_exactly(samples):
    values = np.array(samples, np.float64)
    to = sample_type(values)
    np.testing.assert_array_equal(to_float(from_float(values, to), to.frac), values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_samples_and_twice_as_much_are_in_range(samples):
    values = np.array(samples, np.float64)
    to = sample_type(values)
    step = 0.5 * 2.0**-to.frac
    assert np.abs(values).max() * 2 < 2.0 ** (to.integer - to.signed) or (values % 1 == 0).all()
    assert (np.abs(to_float(from_float(values, to), to.frac) - values) <= step).all()


@pytest.fixture(scope="module")
def wide(keras):
    """A network of inputs up to 255, activations of several kinds, and its samples."""
    k = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8,), name="x"),
            k.Dense(12, activation="relu", name="fc1"),
            k.BatchNormalization(name="norm"),
            k.Dense(8, name="fc2"),
            k.LeakyReLU(alpha=0.25, name="leaky"),
            k.Dense(4, name="fc3"),
        ]
    )
    samples = np.random.default_rng(0).integers(0, 256, (400, 8)).astype(np.float32)
    samples[0, 0] = 255
    return model, samples


@pytest.fixture(scope="module")
def calibration(wide, tmp_path_factory):
    """What the network's own framework makes of the first samples."""
    model, samples = wide
    path = tmp_path_factory.mktemp("data") / "samples.npy"
    np.save(path, samples[:200].astype(np.uint8))
    return calibrate(load(model), path)


def test_types_follow_from_samples(wide, calibration, tmp_path):
    model, samples = wide
    lines = []
    graph = convert(model, None, None, tmp_path, calibration=calibration, notice=lines.append)
    assert lines == []
    assert str(result_type(graph, "x")) == "ufixed<8,8>"
    plain = convert(model, None, ConvertOptions(input_precision="ufixed<8,8>"), tmp_path)
    for name in ("fc1_relu", "leaky"):
        assert result_type(graph, name).width <= result_type(plain, name).width
    difference, agree = departure(model, graph, samples)
    assert difference < 0.005
    assert agree >= 0.99


def test_measured_intervals_are_those_of_the_nodes(wide, calibration, tmp_path, keras):
    model, samples = wide
    network = load(model)
    graph = convert(network, None, None, tmp_path, calibration=calibration)
    found = calibration.by_node(graph, network)
    names = ["fc1", "norm", "fc2", "leaky", "fc3"]
    every = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    results = dict(zip(names, every.predict(samples[:200], verbose=0), strict=True))
    nodes = {"fc1_relu": "fc1", "norm": "norm", "fc2": "fc2", "leaky": "leaky", "fc3": "fc3"}
    for node, layer in nodes.items():
        values = results[layer]
        np.testing.assert_allclose(found[node].whole, (values.min(), values.max()), rtol=1e-5)


def test_an_input_type_that_is_set_stays_and_is_said_to_wrap(wide, calibration, tmp_path):
    model, _ = wide
    lines = []
    options = ConvertOptions(input_precision="fixed<16,6>")
    graph = convert(model, None, options, tmp_path, calibration=calibration, notice=lines.append)
    assert str(result_type(graph, "x")) == "fixed<16,6>"
    assert any("'x'" in line and "wraps" in line and "the samples" in line for line in lines)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.zeros((3, 4))}, "no array for input 'x'; the model's inputs are x"),
        ({"x": np.zeros((3, 5))}, r"input 'x' has shape \(3, 5\), should be \(samples, 4\)"),
        ({"x": np.zeros((0, 4))}, "has shape"),
        ({"x": np.full((3, 4), np.nan)}, "holds nan"),
        ({"x": np.full((3, 4), 1e300)}, r"beyond 2\^40"),
    ],
)
def test_samples_that_do_not_fit(plain, tmp_path, arrays, message):
    path, weights, *_ = plain
    data = tmp_path / "samples.npz"
    np.savez(data, **arrays)
    with pytest.raises(InputError, match=message):
        convert(path, weights, ConvertOptions(data=str(data)))


def noted(tmp_path, options, calibration=None, scale=1.0):
    """What a conversion of a 4-3 network with a ReLU says."""
    layer, weights = dense("fc1", 3, 4, "relu")
    weights["fc1/kernel:0"] *= np.float32(scale)
    lines = []
    files = write_model(tmp_path, [layer], {"fc1": weights})
    convert(*files, options, calibration=calibration, notice=lines.append)
    return lines


def test_an_input_that_nothing_bounds_is_said_and_the_ways_out_work(tmp_path):
    (line,) = noted(tmp_path, ConvertOptions())
    assert "input 'x'" in line and "-32 to 31.999" in line
    assert "--data" in line and "--input-precision" in line
    assert noted(tmp_path, ConvertOptions(input_precision="fixed<16,6>")) == []
    measured = Calibration("f", (FixedType(16, 3),), {"x": (-1.0, 1.0)}, {})
    assert noted(tmp_path, ConvertOptions(), measured) == []


@pytest.mark.parametrize(
    "options",
    [
        ConvertOptions(precision="fixed<8,3>", input_precision="fixed<8,3>"),
        ConvertOptions(
            input_precision="fixed<8,3>", settings=(("fc1_relu.precision.result", "fixed<8,3>"),)
        ),
        ConvertOptions(
            input_precision="fixed<8,3>",
            settings=(("fc1_relu.precision.result", "fixed<8,3,TRN,SAT>"),),
        ),
        ConvertOptions(
            input_precision="fixed<8,3>", settings=(("fc1.precision.weight", "fixed<4,1>"),)
        ),
        ConvertOptions(
            input_precision="fixed<8,3>", settings=(("fc1.precision.accum", "fixed<8,3>"),)
        ),
    ],
)
def test_a_type_that_is_set_and_exceeded_is_said_and_the_way_out_works(tmp_path, options):
    (line,) = noted(tmp_path, options, scale=2.0)
    saturates = any("SAT" in value for _, value in options.settings)
    assert ("saturates" if saturates else "wraps") in line
    key, value = re.search(r"--set ([\w.]+)='([^']+)'", line).groups()
    followed = ConvertOptions(
        precision=options.precision,
        input_precision=options.input_precision,
        settings=(*options.settings, (key, value)),
    )
    assert noted(tmp_path, followed, scale=2.0) == []
