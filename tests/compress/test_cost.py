"""Compute cost, held against counting by hand and against the kernels of the hardware."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.models import GRID, spread
from gatewright.compress.bits import LayerBits
from gatewright.compress.cost import Cost, compute_cost
from gatewright.compress.quantize import quantize
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, effective_bits
from gatewright.frontend import convert
from gatewright.kernels import OperationCounts
from gatewright.lower import lower
from gatewright.options import ConvertOptions


@given(st.lists(st.integers(-(2**40), 2**40) | st.sampled_from([0, 1, -1, 2**52, -(2**40)])))
def test_effective_bits_are_those_between_the_outermost_ones(values):
    expected = [len(f"{abs(value):b}".strip("0")) for value in values]
    assert effective_bits(np.array(values, np.int64)).tolist() == expected


def hardware_cost(model, precision=GRID):
    """The sum of the kernels' `OperationCounts` after conversion."""
    design = lower(convert(model, options=ConvertOptions(input_precision=precision)))
    total = asdict(OperationCounts())
    for kernel in design.kernels:
        for key, value in asdict(kernel.operation_counts()).items():
            total[key] += value
    return Cost(**total)


def dense_network(keras):
    layers = keras.layers
    inputs = layers.Input((6,), name="x")
    hidden = layers.ReLU(name="a_relu")(layers.Dense(5, name="a")(inputs))
    return keras.Model(inputs, layers.Dense(3, name="b")(hidden))


def test_a_float_model_counts_32_bits(keras):
    model = dense_network(keras)
    kernel, bias = model.get_layer("a").get_weights()
    kernel[0, :2] = 0
    model.get_layer("a").set_weights([kernel, bias])
    macs, nonzero = 6 * 5 + 5 * 3, 6 * 5 - 2 + 5 * 3
    parameters = macs + 5 + 3
    assert compute_cost(model, None) == Cost(
        macs=macs,
        bops=nonzero * 32 * 32,
        ebops=nonzero * 32 * 32,
        weights=macs,
        nonzero=nonzero,
        parameters=parameters,
        weight_bits=parameters * 32,
    )
    first = 28 * 32 * 8  # of the layer that reads 8-bit inputs
    assert compute_cost(model, FixedType.parse(GRID)).bops == first + 15 * 32 * 32


def test_a_quantized_layer_by_hand(keras):
    model = quantize(dense_network(keras), {"a": LayerBits(weights=4, activations=5)})
    kernel = np.zeros((6, 5))
    kernel[0, :4] = [0.5, -0.375, 0.125, 7.3]  # raw 4, -3, 1, and 7 where it saturates
    model.get_layer("a").set_weights([kernel, np.zeros(5)])
    cost = compute_cost(model, FixedType.parse("fixed<8,3>"))
    effective = (1 + 2 + 1 + 3) * 8 + 15 * 32 * 5  # the other layer is float, its inputs are not
    assert (cost.nonzero, cost.ebops) == (4 + 15, effective)
    assert cost.bops == 4 * 4 * 8 + 15 * 32 * 5
    assert cost.weight_bits == (30 + 5) * 4 + (15 + 3) * 32


def test_an_unknown_layer_is_refused(keras):
    model = keras.Sequential([keras.layers.Input((4, 3)), keras.layers.LSTM(2, name="memory")])
    with pytest.raises(UnsupportedError, match=r"layer 'memory' \(LSTM\): its compute cost is not"):
        compute_cost(model, None)


def everything(keras):
    """Convolutions of all kinds, pooling, sums and products of tensors, tanh, and no activation."""
    layers = keras.layers
    inputs = layers.Input((8, 8, 3), name="x")
    stem = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    stem = layers.ReLU(name="stem_relu")(stem)
    branch = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(stem)
    branch = layers.Activation("tanh", name="depthwise_tanh")(branch)
    joined = layers.Add(name="join")([stem, branch])
    tensor = layers.AveragePooling2D(2, name="mean")(joined)
    tensor = layers.Conv2D(5, 2, strides=2, name="read_mean")(tensor)
    tensor = layers.ReLU(name="read_mean_relu")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    tensor = layers.Dense(6, name="bare")(tensor)
    left = layers.Dense(4, name="left")(tensor)  # reads a whole sum
    left = layers.ReLU(name="left_relu")(left)
    right = layers.Activation("sigmoid", name="right_sigmoid")(
        layers.Dense(4, name="right")(tensor)
    )
    product = layers.Multiply(name="product")([left, right])
    both = layers.Concatenate(name="both")([product, left])
    return keras.Model(inputs, layers.Dense(3, name="out")(both))


@pytest.mark.parametrize(
    "bits",
    [
        {"default": LayerBits(weights=4, activations=6)},
        {
            "default": LayerBits(weights=3, activations=4),
            "bare": LayerBits(weights=6, activations=4),
        },
        {"default": LayerBits(weights="ternary", activations=5)},
        pytest.param(
            {"default": LayerBits(weights="po2<4>", activations=5)}, marks=pytest.mark.full
        ),
        pytest.param(
            {"default": LayerBits(weights="binary", activations=5)}, marks=pytest.mark.full
        ),
    ],
    ids=["uniform", "mixed", "ternary", "po2", "binary"],
)
def test_a_quantized_model_costs_what_its_kernels_count(keras, bits):
    keras.utils.set_random_seed(1)
    model = everything(keras)
    spread(model)
    model = quantize(model, bits)
    assert compute_cost(model, FixedType.parse(GRID)) == hardware_cost(model)


def test_a_relu_with_a_slope_has_a_sign(keras):
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    def dense(units, name):
        of = quantized_bits(4, 0, alpha=1)
        return QDense(units, name=name, kernel_quantizer=of, bias_quantizer=of)

    x = inputs = keras.Input((6,), name="x")
    x = QActivation(quantized_relu(5, 1, negative_slope=0.25), name="a_relu")(dense(5, "a")(x))
    model = spread(keras.Model(inputs, dense(3, "b")(x)))
    found = compute_cost(model, FixedType.parse(GRID))
    assert found == hardware_cost(model)
    assert found.bops < 32 * 4 * found.macs  # nothing counts as float


def test_layers_without_biases_and_separable_ones_multiply_as_in_hardware(keras):
    layers = keras.layers
    x = inputs = layers.Input((7, 6, 3), name="x")
    x = layers.Conv2D(4, 2, use_bias=False, name="bare")(x)
    x = layers.SeparableConv2D(5, 3, name="apart")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Dense(2, use_bias=False, name="mix")(x)
    x = layers.SeparableConv2D(3, 2, strides=2, use_bias=False, name="apart2")(x)
    model = spread(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten(name="flat")(x))))
    model = quantize(model, {"default": LayerBits(weights=4, activations=5)})
    ours, theirs = compute_cost(model, FixedType.parse(GRID)), hardware_cost(model)
    for figure in ("macs", "bops", "ebops", "weights", "nonzero"):
        assert getattr(ours, figure) == getattr(theirs, figure)
    assert ours.parameters == model.count_params()
