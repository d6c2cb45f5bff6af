"""What a layer's bits cost, measured by Keras' own predictions; bits chosen from that."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.models import GRID, bits, on_grid, spread
from gatewright.compress.bits import LayerBits
from gatewright.compress.calibrate import Calibration, calibrate
from gatewright.compress.sensitivity import (
    Cell,
    Sensitivity,
    assign,
    find_bits,
    narrower,
    sensitivity,
)
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend import convert
from gatewright.lower import lower
from gatewright.options import ConvertOptions


@pytest.fixture(scope="module")
def classifier(keras):
    """A network and samples that it classifies as it does."""
    model = spread(
        keras.Sequential(
            [
                keras.Input((6,), name="in"),
                keras.layers.Dense(12, activation="relu", name="first"),
                keras.layers.BatchNormalization(name="norm"),
                keras.layers.Dense(8, name="second"),
                keras.layers.ReLU(name="act"),
                keras.layers.Dense(4, activation="softmax", name="third"),
            ]
        )
    )
    x = on_grid((400, 6))
    return model, x, model.predict(x, verbose=0).argmax(axis=1)


def test_cells_are_keras_accuracies(classifier):
    model, x, y = classifier
    choices = (3, 10, bits("ternary", 5))
    table = sensitivity(model, x, y, choices)
    assert table.score == 1
    assert [cell.layer for cell in table.cells] == ["first"] * 3 + ["second"] * 3 + ["third"] * 3
    assert [cell.bits for cell in table.cells[:3]] == [bits(10), bits("ternary", 5), bits(3)]
    for cell in table.cells:
        quantized = calibrated(model, {cell.layer: cell.bits}, x)
        kernels = [hasattr(layer, "kernel_quantizer") for layer in quantized.layers]
        assert sum(kernels) == 1 and hasattr(quantized.get_layer(cell.layer), "kernel_quantizer")
        predicted = quantized.predict(x, verbose=0).argmax(axis=1)
        assert cell.score == pytest.approx(np.mean(predicted == y))
    ten, _, three = table.cells[:3]
    assert ten.score > three.score


def test_cells_cost_what_the_hardware_does(keras):
    """Of networks of which one layer is narrow, the others wide, counted by the kernels."""
    k = keras.layers
    x = inputs = keras.Input((6, 6, 2), name="in")
    x = left = k.ReLU(name="first_relu")(k.Conv2D(3, 3, name="first")(x))
    x = k.ReLU(name="second_relu")(k.SeparableConv2D(3, 3, padding="same", name="second")(x))
    x = k.Flatten(name="flat")(k.Add(name="sum")([x, left]))
    model = spread(keras.Model(inputs, k.Dense(3, name="third")(x)))
    x = on_grid((50, 6, 6, 2))
    y = model.predict(x, verbose=0).argmax(axis=1)
    table = sensitivity(model, x, y, (4, bits(7, 5)), input_type=FixedType.parse(GRID))
    widest = dict.fromkeys(("first", "second", "third"), bits(7, 5))
    assert [cell.bits for cell in table.cells] == [bits(7, 5), bits(4)] * 3
    for cell in table.cells:
        quantized = Calibration(model, x).quantized(widest | {cell.layer: cell.bits}).build()
        design = lower(convert(quantized, options=ConvertOptions(input_precision=GRID)))
        assert cell.ebops == sum(kernel.operation_counts().ebops for kernel in design.kernels)


def test_a_layer_of_many_multiplications_is_narrowed_before_one_of_many_weights(keras):
    k = keras.layers
    x = inputs = keras.Input((12, 12, 1), name="in")
    x = k.ReLU(name="conv_relu")(k.Conv2D(4, 3, name="conv")(x))
    x = k.Dense(24, activation="relu", name="fc")(k.Flatten(name="flat")(k.MaxPooling2D(5)(x)))
    model = spread(keras.Model(inputs, k.Dense(3, name="out")(x)))
    weights = {name: model.get_layer(name).count_params() for name in ("conv", "fc", "out")}
    assert weights["fc"] > 9 * weights["conv"]
    x = on_grid((60, 12, 12, 1))
    table = sensitivity(model, x, np.zeros(60, int), (6, 4))
    # Every step costs the same, and one can be paid for.
    same = [
        replace(cell, score=1 - 0.01 * (cell.bits == bits(4)), ebops=cell.ebops)
        for cell in table.cells
    ]
    found = assign(Sensitivity(1.0, tuple(same)), 0.01)
    assert found == {"conv": bits(4), "fc": bits(6), "out": bits(6)}


def test_bits_are_found_below_those_to_start_from(classifier):
    model, x, y = classifier
    start = {
        "first": LayerBits(weights="ternary", activations=6),
        "second": LayerBits(weights=5, activations=4, biases=7),
        "act": bits(5),
    }
    found = find_bits(model, x, y, 0.6, start)
    assert set(found) == set(start)  # the last layer stays float
    assert found["act"] == bits(5)
    assert found["first"].weights == "ternary" and found["first"].activations < 6
    assert found["second"].weights < 5 and found["second"].biases == 7
    assert find_bits(model, x, y, 0.0, {"default": bits(3)}).keys() >= {"first", "second", "third"}
    with pytest.raises(InputError, match="bits of a layer 'thrd'"):
        find_bits(model, x, y, 0.1, {"thrd": bits(4)})


def test_narrower_bits():
    assert narrower(LayerBits(weights=5, activations=7), (8, 6, 4, 2)) == [
        bits(5, 7), bits(5, 6), bits(4), bits(2),
    ]  # fmt: skip
    assert narrower(bits(4), (8, 4)) == [bits(4)]


def test_ranges_are_measured_on_samples_of_their_own(classifier):
    model, x, y = classifier
    table = sensitivity(model, x[:100], y[:100], (4,), ranges=x[100:])
    for cell in table.cells:
        quantized = calibrated(model, {cell.layer: cell.bits}, x[100:])
        predicted = quantized.predict(x[:100], verbose=0).argmax(axis=1)
        assert cell.score == pytest.approx(np.mean(predicted == y[:100]))
    found = find_bits(model, x[:100], y[:100], 0.05, ranges=x[100:])
    predicted = calibrate(model, found, x[100:]).predict(x[:100], verbose=0).argmax(axis=1)
    assert np.mean(predicted == y[:100]) >= 0.95


def calibrated(model, bits, x):
    return Calibration(model, x).quantized(bits).build()


@pytest.mark.full
def test_found_bits_keep_the_accuracy_of_the_whole(classifier):
    model, x, y = classifier
    for loss in (0.02, 0.2):
        found = find_bits(model, x, y, loss)
        predicted = calibrate(model, found, x).predict(x, verbose=0).argmax(axis=1)
        assert np.mean(predicted == y) >= 1 - loss
        assert set(found) == {"first", "second", "third"}
        assert min(each.weights for each in found.values()) < 8


def made(losses, sizes):
    """A table from accuracy losses by layer and width."""
    widths = (8, 6, 4, 2)
    return Sensitivity(
        0.9,
        tuple(
            Cell(f"layer{n}", bits(width), 0.9 - lost, size * width)
            for n, (size, row) in enumerate(zip(sizes, losses, strict=True))
            for width, lost in zip(widths, row, strict=True)
        ),
    )


tables = st.integers(1, 4).flatmap(
    lambda n: st.builds(
        made,
        st.lists(
            st.lists(st.integers(-5, 60), min_size=4, max_size=4).map(
                lambda row: [lost / 1000 for lost in row]
            ),
            min_size=n,
            max_size=n,
        ),
        st.lists(st.integers(1, 500), min_size=n, max_size=n),
    )
)


def lost(table, chosen):
    return sum(table.loss(c) for c in table.cells if chosen[c.layer] == c.bits)


@settings(max_examples=200, deadline=None)
@given(tables, st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_what_is_assigned_is_paid_for_and_leaves_nothing(table, loss):
    chosen = assign(table, loss)
    layers = table.layers
    widest = {name: cells[0].bits for name, cells in layers.items()}
    if lost(table, widest) > loss + 1e-9:
        assert chosen == widest
        return
    assert lost(table, chosen) <= loss + 1e-9
    for name, cells in layers.items():
        place = [cell.bits for cell in cells].index(chosen[name])
        for cell in cells[place + 1 : place + 2]:
            assert lost(table, chosen | {name: cell.bits}) > loss - 1e-9


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(0, 12))
def test_the_whole_is_good_and_no_layer_can_go_further(table, affordable):
    """The measured accuracy falls with each step taken; so many can be afforded."""
    calls = []

    def steps(chosen):
        return sum(
            [cell.bits for cell in cells].index(chosen[name])
            for name, cells in table.layers.items()
        )

    def measure(chosen):
        calls.append(chosen)
        return 0.9 if steps(chosen) <= affordable else 0.1

    chosen = assign(table, 0.2, measure)
    assert steps(chosen) == min(affordable, 3 * len(table.layers))
    assert len(calls) <= 5 + 3 * len(table.layers) + len(table.layers)


def test_a_step_too_far_of_one_layer_stops_no_other():
    table = made([[0, 0, 0, 0], [0, 0, 0, 0]], [1000, 10])

    def measure(chosen):
        return 0.9 if chosen["layer0"].weights >= 6 else 0.1

    assert assign(table, 0.0, measure) == {"layer0": bits(6), "layer1": bits(2)}


def test_of_layers_that_lose_nothing_the_greatest_goes_first():
    table = made([[0, 0, 0, 0.5], [0, 0.001, 0.5, 0.5]], [10, 1000])
    assert assign(table, 0.0) == {"layer0": bits(4), "layer1": bits(8)}
    assert assign(table, 0.01) == {"layer0": bits(4), "layer1": bits(6)}


def test_luck_is_not_built_on():
    table = made([[0.0, 0.05, -0.01, 0.2]], [10])
    assert [round(table.loss(cell), 9) for cell in table.cells] == [0, 0.05, 0.05, 0.2]


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.zeros(399, int), r"targets \[399\] are neither labels \[400\] nor scores like"),
        (np.zeros((400, 3), int), r"targets \[400, 3\] are neither labels"),
        (np.full(400, 0.5), "must be whole numbers"),
        (np.full(400, 4), "from 4 to 4, but there are 4 classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(classifier, y, said):
    model, x, _ = classifier
    with pytest.raises(InputError, match=said):
        sensitivity(model, x, y)


def test_a_model_without_classes_has_no_accuracy(keras):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    with pytest.raises(InputError, match="no scores of classes"):
        sensitivity(model, on_grid((4, 3)), np.zeros(4, int))
