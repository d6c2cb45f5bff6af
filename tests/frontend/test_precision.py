"""The rules for types that the model leaves open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_models import dense, write_model

from gatewright.fixed import FixedType, from_float, to_float
from gatewright.frontend import convert
from gatewright.frontend.precision import exact_type, fixed_type, holds, scale_type, widened
from gatewright.options import ConvertOptions

DEFAULT = FixedType.parse("fixed<16,6,TRN,SAT>")


@given(st.lists(st.integers(-5000, 5000), min_size=1), st.integers(-8, 12))
def test_exact_type_is_exact_and_smallest(raw, frac):
    values = np.ldexp(np.array(raw, np.float64), -frac)
    to = exact_type(values)
    assert to is not None
    np.testing.assert_array_equal(to_float(from_float(values, to), to.frac), values)
    if to.width > 1:
        smaller = FixedType(to.width - 1, to.integer - 1, to.signed)
        coarser = FixedType(to.width - 1, to.integer, to.signed)
        assert not holds(values, smaller)
        assert (to_float(from_float(values, coarser), coarser.frac) != values).any()


def test_exact_type_of_what_has_none():
    assert exact_type(np.array([1 / 3])) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (31.9999, "fixed<16,6,TRN,SAT>"),
        (32.0, "fixed<17,7,TRN,SAT>"),
        (-32.0, "fixed<16,6,TRN,SAT>"),
        (-32.0001, "fixed<17,7,TRN,SAT>"),
        (1000.0, "fixed<21,11,TRN,SAT>"),
    ],
)
def test_widened_keeps_the_fraction(value, expected):
    assert str(widened(np.array([value, 0.5]), DEFAULT)) == expected


def test_scale_type():
    assert str(scale_type(np.array([2.0**-12, 2.0**-10]), DEFAULT)) == "ufixed<3,-9>"
    assert scale_type(np.array([0.003, 0.0011]), DEFAULT).width == 16
    assert holds(np.array([0.003]), scale_type(np.array([0.003]), DEFAULT))


def layer_types(graph, name):
    return {k: str(fixed_type(v.precision)) for k, v in graph.graph[name].types.items()}


def test_large_weights_of_plain_layers_are_held(tmp_path):
    layer, weights = dense("fc1", 3, 4)
    weights["fc1/kernel:0"][0, 0] = 100.25
    graph = convert(*write_model(tmp_path, [layer], {"fc1": weights}))
    assert layer_types(graph, "fc1")["weight_t"] == "fixed<18,8,TRN,SAT>"
    assert graph.graph["fc1"].weights["weight"].data[0, 0] == 100.25


def test_a_chosen_type_is_kept_to_the_letter(tmp_path):
    layer, weights = dense("fc1", 3, 4)
    weights["fc1/kernel:0"][0, 0] = 1.25
    options = ConvertOptions(settings=(("fc1.precision.weight", "fixed<4,1>"),))
    graph = convert(*write_model(tmp_path, [layer], {"fc1": weights}), options)
    assert layer_types(graph, "fc1")["weight_t"] == "fixed<4,1>"
    assert graph.graph["fc1"].weights["weight"].data[0, 0] == -0.75  # 1.25 wraps


def test_weights_have_the_value_that_they_have_in_hardware(tmp_path):
    layer, weights = dense("fc1", 3, 4)
    weights["fc1/kernel:0"][:] = np.random.default_rng(1).normal(size=(4, 3))
    graph = convert(*write_model(tmp_path, [layer], {"fc1": weights}))
    data = graph.graph["fc1"].weights["weight"].data
    np.testing.assert_array_equal(data, np.floor(weights["fc1/kernel:0"] * 1024.0) / 1024)


def test_activations_saturate_unless_hls4ml_is_asked_for(plain):
    path, weights, *_ = plain
    small = ConvertOptions(input_precision="fixed<16,4>")
    types = layer_types(convert(path, weights, small), "fc1_relu")
    assert types["result_t"] == "fixed<16,6,TRN,SAT>"
    graph = convert(path, weights, ConvertOptions(preset="hls4ml"))
    assert layer_types(graph, "fc1_relu")["result_t"] == "fixed<16,6>"
    graph = convert(path, weights, ConvertOptions(precision="fixed<12,4>"))
    assert layer_types(graph, "fc1_relu")["result_t"] == "fixed<12,4>"


def test_softmax_types_hold_difference_and_sum(plain):
    path, weights, *_ = plain
    types = layer_types(convert(path, weights), "fc2_softmax")
    assert types["inp_norm_t"] == "ufixed<10,3,RND,SAT>"
    assert types["inv_inp_t"] == "ufixed<18,2,RND,SAT>"
    # A narrow input is taken as it is, over the whole range of a difference.
    options = ConvertOptions(settings=(("fc2.precision.result", "fixed<6,3>"),))
    graph = convert(path, weights, options)
    assert layer_types(graph, "fc2_softmax")["inp_norm_t"] == "ufixed<6,3,RND,SAT>"
    assert int(graph.graph["fc2_softmax"].get_attr("exp_table_size")) == 64


def test_threshold_does_not_wrap(tmp_path):
    relu = {"class_name": "ThresholdedReLU", "config": {"name": "a", "theta": 3.5}}
    options = ConvertOptions(input_precision="fixed<8,1>")
    graph = convert(*write_model(tmp_path, [relu], {}), options)
    assert layer_types(graph, "a")["param_t"] == "fixed<16,6,TRN,SAT>"
