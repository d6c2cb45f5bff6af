"""What a layer's bits cost, measured by Keras' own predictions; bits chosen from that."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.models import on_grid, spread
from gatewright.compress.bits import LayerBits
from gatewright.compress.calibrate import Calibration, calibrate
from gatewright.compress.sensitivity import Cell, Sensitivity, assign, find_bits, sensitivity
from gatewright.errors import InputError
from gatewright.frontend.quiet import import_keras


@pytest.fixture(scope="module")
def keras():
    import_keras("qkeras")
    return sys.modules["tf_keras"]


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


def bits(weights, activations=None):
    return LayerBits(weights=weights, activations=activations or weights)


def test_cells_are_keras_accuracies(classifier):
    model, x, y = classifier
    choices = (3, 10, bits("ternary", 5))
    table = sensitivity(model, x, y, choices)
    assert table.accuracy == 1
    assert [cell.layer for cell in table.cells] == ["first"] * 3 + ["second"] * 3 + ["third"] * 3
    assert [cell.bits for cell in table.cells[:3]] == [bits(10), bits(3), bits("ternary", 5)]
    for cell in table.cells:
        quantized = Calibration(model, x).quantized({cell.layer: cell.bits}).build()
        kernels = [hasattr(layer, "kernel_quantizer") for layer in quantized.layers]
        assert sum(kernels) == 1 and hasattr(quantized.get_layer(cell.layer), "kernel_quantizer")
        predicted = quantized.predict(x, verbose=0).argmax(axis=1)
        assert cell.accuracy == pytest.approx(np.mean(predicted == y))
    ten, three, ternary = table.cells[:3]
    assert ten.accuracy > three.accuracy
    assert (ten.weight_bits, three.weight_bits, ternary.weight_bits) == (720, 216, 144)


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
    if lost(table, widest) > loss:
        assert chosen == widest
        return
    assert lost(table, chosen) <= loss + 1e-9
    for name, cells in layers.items():
        place = [cell.bits for cell in cells].index(chosen[name])
        for narrower in cells[place + 1 : place + 2]:
            assert lost(table, chosen | {name: narrower.bits}) > loss - 1e-9


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(0, 12))
def test_steps_are_taken_back_until_the_whole_is_good(table, affordable):
    """The measured accuracy falls with each step taken; so many can be afforded."""
    calls = []

    def measure(chosen):
        calls.append(chosen)
        steps = sum(
            [cell.bits for cell in cells].index(chosen[name])
            for name, cells in table.layers.items()
        )
        return 0.9 if steps <= affordable else 0.1

    chosen = assign(table, 0.2, measure)
    assert calls == [] or measure(chosen) == 0.9
    free = assign(table, 0.2)
    if measure(free) == 0.9:
        assert chosen == free
    assert len(calls) <= 8


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
        (np.zeros(399, int), r"integers \[400\]"),
        (np.zeros((400, 4), int), r"int64 \[400, 4\]; they have to be integers"),
        (np.zeros(400), "float64"),
        (np.full(400, 4), "from 4 to 4, of 4 classes"),
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
