"""Scores against gradients sample by sample, masks against TensorFlow Model Optimization's."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.models import spread
from gatewright.compress.prune import (
    Pruning,
    find_masks,
    hold,
    importance,
    magnitude,
    ramp,
    summarize,
)
from gatewright.errors import InputError


@pytest.fixture(scope="module")
def mlp(keras):
    layers = keras.layers
    return spread(
        keras.Sequential(
            [
                layers.Input((12,)),
                layers.Dense(8, "relu", name="one"),
                layers.Dense(6, "relu", name="two"),
                layers.Dense(3, name="out"),
            ]
        )
    )


def quantized_cnn(keras):
    """Of QKeras' layers and Keras' own, with a batch normalization."""
    from qkeras import QActivation, QConv2D, QDense, QDepthwiseConv2D, quantized_bits

    layers = keras.layers
    x = inputs = keras.Input((6, 6, 2))

    def bits():
        return quantized_bits(4, 1, alpha=1)

    x = QConv2D(3, 3, kernel_quantizer=bits(), bias_quantizer=bits(), name="conv")(x)
    x = QActivation("quantized_relu(4,1)")(x)
    x = QDepthwiseConv2D((2, 2), depthwise_quantizer=bits(), name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(3, 2, activation="relu", name="float")(x)
    x = layers.Flatten(name="flat")(x)
    x = QDense(4, kernel_quantizer=bits(), bias_quantizer=bits(), name="out")(x)
    return spread(keras.Model(inputs, x))


def random_data(model, samples, classes, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, *model.input_shape[1:])).astype(np.float32)
    return x, rng.integers(0, classes, samples)


def test_magnitudes_are_those_of_the_weights_that_count(keras):
    found = magnitude(quantized_cnn(keras))
    model = quantized_cnn(keras)
    kernel = model.get_layer("conv").kernel.numpy()
    # quantized_bits(4, 1): steps of a quarter from -2 to 1.75, halves to the even one.
    grid = np.clip(np.round(kernel * 4) / 4, -2, 1.75)
    np.testing.assert_array_equal(found["conv"], np.abs(grid))
    np.testing.assert_array_equal(found["float"], np.abs(model.get_layer("float").kernel.numpy()))
    assert list(found) == ["conv", "depthwise", "float", "out"]


@pytest.mark.parametrize("from_logits", [True, pytest.param(False, marks=pytest.mark.full)])
def test_importance_is_that_of_gradients_sample_by_sample(keras, from_logits):
    import tensorflow as tf

    model = quantized_cnn(keras)
    if not from_logits:
        model = keras.Sequential([*model.layers, keras.layers.Softmax()])
    x, y = random_data(model, 10, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    found = importance(model, x, y, loss, batch_size=4)
    kernels = {name: model.get_layer(name) for name in found}
    variables = [
        layer.depthwise_kernel if name == "depthwise" else layer.kernel
        for name, layer in kernels.items()
    ]
    total = [0.0] * len(variables)
    for sample in range(len(x)):
        with tf.GradientTape() as tape:
            value = loss(y[sample : sample + 1], model(x[sample : sample + 1]))
        for place, gradient in enumerate(tape.gradient(value, variables)):
            total[place] = total[place] + np.abs(gradient.numpy())
    scale = magnitude(model)
    for (name, scores), gradient in zip(found.items(), total, strict=True):
        expected = gradient / len(x) * scale[name]
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6 * expected.max())
        assert scores.any()


def test_importance_does_not_depend_on_the_batch_size(keras):
    model = quantized_cnn(keras)
    x, y = random_data(model, 9, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    one, other = (importance(model, x, y, loss, batch_size=size) for size in (2, 9))
    for name, scores in one.items():
        np.testing.assert_allclose(scores, other[name], rtol=1e-4, atol=1e-6 * scores.max())


TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tf_keras as keras
from gatewright.compress.prune import Pruning, importance
from compress.models import spread

layers = keras.layers
x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
y = np.arange(32) % 3
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

def build():
    return spread(keras.Sequential([
        layers.Input((6,)), layers.Dense(8, "relu", name="one"), layers.Dense(3, name="out"),
    ]))

alone = importance(build(), x, y, loss)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = build()
    model.compile("adam", loss)
    for name, scores in importance(model, x, y, loss).items():
        np.testing.assert_allclose(scores, alone[name], rtol=1e-4, atol=1e-6)
    pruning = Pruning(model, 0.5, 2, lambda model: importance(model, x, y, loss))
    model.fit(x, y, epochs=2, batch_size=8, verbose=0, callbacks=[pruning.callback()])
    for name, mask in pruning.masks.items():
        kernel = model.get_layer(name).kernel.numpy()
        assert not kernel[~mask].any() and kernel[mask].any() and not mask.all()
"""


@pytest.mark.full
def test_several_devices_prune_alike():
    places = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], env=environment, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.37, 0.5, 0.75, 0.99])
def test_masks_are_those_of_tensorflow_model_optimization(keras, mlp, sparsity):
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

    found = find_masks(mlp, magnitude(mlp), "unstructured", sparsity, scope="layer")
    schedule = tfmot.sparsity.keras.ConstantSparsity(sparsity, 0, frequency=1)
    for name, mask in found.items():
        kernel = tf.Variable(mlp.get_layer(name).kernel)
        theirs, threshold = tf.Variable(tf.ones_like(kernel)), tf.Variable(0.0)
        variables = [(kernel, theirs, threshold)]
        Pruning(lambda: 1, variables, schedule, (1, 1), "AVG").conditional_mask_update()
        np.testing.assert_array_equal(mask, theirs.numpy().astype(bool))


def test_the_ramp_is_that_of_tensorflow_model_optimization():
    import tensorflow_model_optimization as tfmot

    schedule = tfmot.sparsity.keras.PolynomialDecay(0.2, 0.9, 0, 8, frequency=1)
    for step in range(9):
        assert ramp(0.2, 0.9, step / 8) == pytest.approx(float(schedule(step)[1]), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    amount=st.floats(0, 0.99),
    structure=st.sampled_from(["unstructured", "neurons", "dsp", "bram"]),
    reuse=st.integers(2, 60),
    scope=st.sampled_from(["global", "layer"]),
    seed=st.integers(0, 99),
    levels=st.sampled_from([2, 10**6]),
)
def test_the_lowest_groups_go_as_many_as_are_nearest(
    mlp, amount, structure, reuse, scope, seed, levels
):
    """Held against a plain walk over the groups; with few levels there are many ties."""
    from gatewright.compress.groups import find_groups

    rng = np.random.default_rng(seed)
    scores = {
        name: rng.integers(0, levels, value.shape).astype(float)
        for name, value in magnitude(mlp).items()
    }
    groups = find_groups(mlp, structure, None, reuse)
    before = {"one": rng.random((12, 8)) < 0.9}
    found = find_masks(
        mlp, scores, structure, amount, scope=scope, reuse_factor=reuse, previous=before
    )
    assert not (found["one"] & ~before["one"]).any()
    for names in [list(groups)] if scope == "global" else [[name] for name in groups]:
        start = {name: before.get(name, np.ones(scores[name].shape, bool)) for name in names}
        total = sum(start[name].size for name in names)
        target = total - round(total * (1 - amount))
        members = {}
        for name in names:
            for place in np.argwhere(start[name]):
                members.setdefault(int(groups[name][tuple(place)]), []).append((name, *place))
        mean = {
            number: np.mean([scores[n][tuple(place)] for n, *place in places])
            for number, places in members.items()
        }
        order = sorted(members, key=lambda number: (mean[number], -number))
        kept = {max((g for g in order if members[g][0][0] == n), key=order.index) for n in names}
        pruned = sum(int((~start[name]).sum()) for name in names)
        gone = []
        for number in order:
            size = len(members[number])
            if number in kept:
                continue
            if abs(pruned + size - target) >= abs(pruned - target):
                break
            gone += members[number]
            pruned += size
        for name, *place in gone:
            start[name][tuple(place)] = False
        for name in names:
            np.testing.assert_array_equal(found[name], start[name])
        if structure == "unstructured" and target >= total - sum(start[n].sum() for n in names):
            least = sum((~before[name]).sum() for name in names if name in before)
            most = total - len(names)
            assert sum((~found[name]).sum() for name in names) == min(max(target, least), most)


def test_outputs_keep_their_neurons_and_layers_one(mlp):
    found = find_masks(mlp, magnitude(mlp), "neurons", 0.99)
    assert set(found) == {"one", "two"}
    for mask in found.values():
        columns = mask.any(axis=0)
        assert columns.sum() == 1
        assert (mask == columns).all()
    norms = np.abs(mlp.get_layer("one").kernel.numpy()).mean(axis=0)
    assert found["one"].any(axis=0)[norms.argmax()]


def residual(keras):
    """Filters that meet in an Add and in depthwise convolutions, and some that leave or stay."""
    layers = keras.layers
    inputs = keras.Input((6, 6, 3))
    stem = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    branch = layers.Conv2D(5, 3, padding="same", activation="relu", name="branch")(stem)
    branch = layers.Conv2D(4, 1, name="back")(branch)
    x = layers.Add()([stem, branch])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(6, "softmax", name="probabilities")(x)
    return spread(keras.Model(inputs, layers.Dense(2, name="out")(x)))


def test_filters_that_meet_are_pruned_together(keras):
    model = residual(keras)
    found = find_masks(model, magnitude(model), "neurons", 0.6)
    # Each of a softmax's results depends on all neurons; the last layer's are the outputs.
    assert set(found) == {"stem", "branch", "back", "depthwise"}
    columns = {name: mask.reshape(-1, mask.shape[-1]).any(axis=0) for name, mask in found.items()}
    assert 0 < columns["stem"].sum() < 4
    np.testing.assert_array_equal(columns["stem"], columns["back"])
    pairs = found["depthwise"].any(axis=(0, 1))
    np.testing.assert_array_equal(pairs, np.repeat(columns["stem"][:, None], 2, axis=1))
    for name in ("stem", "branch", "back"):
        assert (found[name] == columns[name]).all()


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_coupled_filters_are_chosen_by_the_mean_of_all_their_weights(keras, scope):
    model = residual(keras)
    scores = magnitude(model)
    values = np.array([3.0, 1, 2, 4])
    for name, weight in (("stem", values), ("back", values[::-1])):
        scores[name] = np.broadcast_to(weight, scores[name].shape)
    scores["depthwise"] = np.zeros(scores["depthwise"].shape)
    # 27, 5 and 18 weights per filter.
    expected = (27 * values + 5 * values[::-1]).argmin()
    names = ["stem", "back", "depthwise"]
    found = find_masks(model, scores, "neurons", 0.25, layers=names, scope=scope)
    assert [int(c) for c in np.flatnonzero(~found["stem"].any(axis=(0, 1, 2)))] == [expected]
    with pytest.raises(InputError, match=r"'back'.*'stem'|'depthwise'.*'stem'"):
        find_masks(model, scores, "neurons", 0.25, layers=["stem"])


def test_neurons_without_weights_lose_bias_and_normalization(keras):
    model = residual(keras)
    masks = find_masks(model, magnitude(model), "neurons", 0.5)
    hold(model, masks)
    gone = ~masks["stem"].any(axis=(0, 1, 2))
    x = np.random.default_rng(0).normal(size=(3, 6, 6, 3)).astype(np.float32)
    before = keras.Model(model.inputs, model.get_layer("flat").input)
    values = before.predict(x, verbose=0)
    assert gone.any()
    np.testing.assert_array_equal(values[..., np.repeat(gone, 2)], 0)
    assert np.abs(values[..., np.repeat(~gone, 2)]).max(axis=(0, 1, 2)).all()
    for name in ("stem", "branch", "back"):
        kept = masks[name].any(axis=(0, 1, 2))
        np.testing.assert_array_equal(model.get_layer(name).bias.numpy() != 0, kept)
    assert model.get_layer("out").bias.numpy().all()


def test_outputs_keep_their_biases(keras, mlp):
    model = keras.models.clone_model(mlp)
    model.set_weights(mlp.get_weights())
    masks = {"out": np.ones((6, 3), bool)}
    masks["out"][:, 1] = False
    hold(model, masks)
    assert model.get_layer("out").bias.numpy().all()
    assert not model.get_layer("out").kernel.numpy()[:, 1].any()


@pytest.mark.parametrize(
    ("structure", "by"),
    [
        ("unstructured", "magnitude"),
        pytest.param("neurons", "magnitude", marks=pytest.mark.full),
        ("dsp", "magnitude"),
        ("neurons", "importance"),
    ],
)
def test_a_fitting_prunes_step_by_step_and_holds_at_zero(keras, structure, by):
    model = quantized_cnn(keras)
    x, y = random_data(model, 64, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def score(model):
        return magnitude(model) if by == "magnitude" else importance(model, x, y, loss)

    first = find_masks(model, magnitude(model), "unstructured", 0.2)
    pruning = Pruning(model, 0.7, 3, score, structure=structure, reuse_factor=2, previous=first)
    seen, kept = [], []

    def look(_batch, _logs):
        kernels = {name: model.get_layer(name).weights[0].numpy() for name in pruning.masks}
        for name, mask in pruning.masks.items():
            assert not kernels[name][~mask].any()
        kept.append(sum(np.count_nonzero(kernel) for kernel in kernels.values()))

    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(
        x, y, batch_size=16, epochs=5, verbose=0,
        callbacks=[
            pruning.callback(),
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda *_: seen.append(pruning.masks), on_train_batch_end=look
            ),
        ],
    )  # fmt: skip
    fractions = [
        np.mean(np.concatenate([~mask.ravel() for mask in masks.values()])) for masks in seen
    ]
    assert kept[0] > kept[-1] > 0
    assert fractions == sorted(fractions)
    assert fractions[0] > 0.2
    assert fractions[2:] == [fractions[2]] * 3
    if structure == "unstructured":
        assert fractions[2] == pytest.approx(0.7, abs=0.01)
        assert fractions[0] == pytest.approx(ramp(0.2, 0.7, 1 / 3), abs=0.01)
    for one, other in itertools.pairwise(seen):
        assert not any((other[name] & ~one[name]).any() for name in one)


def test_summary_counts_weights_and_neurons(mlp):
    masks = find_masks(mlp, magnitude(mlp), "neurons", 0.5)
    found = {entry.layer: entry for entry in summarize(mlp, masks)}
    assert [entry.weights for entry in found.values()] == [96, 48, 18]
    assert found["out"].pruned == found["out"].neurons_pruned == 0
    assert found["one"].pruned == 12 * found["one"].neurons_pruned
    assert sum(entry.pruned for entry in found.values()) == sum(
        (~mask).sum() for mask in masks.values()
    )


def test_weights_of_quantizers_without_zero_are_refused(keras):
    from qkeras import QDense

    for quantizer in ("binary(alpha=1)", "quantized_po2(4)"):
        layer = QDense(3, kernel_quantizer=quantizer, bias_quantizer="quantized_bits(4)", name="b")
        model = keras.Sequential([keras.layers.Input((4,)), layer])
        with pytest.raises(InputError, match=r"'b'.*no zero"):
            find_masks(model, magnitude(model), "unstructured", 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amount": 1.0}, "below 1"),
        ({"amount": -0.1}, "at least 0"),
        ({"structure": "rows"}, "structure 'rows'.*dsp"),
        ({"scope": "all"}, "scope 'all'.*layer"),
        ({"layers": ["one", "three"]}, "'three'.*one, two, out"),
        ({"layers": ["out"], "structure": "neurons"}, "'out'.*outputs"),
        ({"structure": "dsp"}, "reuse factor"),
        ({"structure": "bram", "reuse_factor": 1}, "reuse factor 1"),
        ({"structure": "dsp", "reuse_factor": {"one": 2}}, "'two'.*reuse factor"),
        ({"previous": {"one": np.ones((2, 2), bool)}}, r"'one'.*\(12, 8\)"),
        ({"scores": {}}, "'one'.*score"),
    ],
)
def test_what_is_wrong_is_said(mlp, options, message):
    asked = {"scores": magnitude(mlp), "structure": "unstructured", "amount": 0.5} | options
    with pytest.raises(InputError, match=message):
        find_masks(mlp, asked.pop("scores"), asked.pop("structure"), asked.pop("amount"), **asked)


def test_a_score_that_is_no_number_is_refused(mlp):
    scores = magnitude(mlp)
    scores["two"][0, 0] = np.nan
    with pytest.raises(InputError, match="'two'"):
        find_masks(mlp, scores, "unstructured", 0.5)


def test_models_whose_layers_are_not_told_are_refused(keras):
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match="Functional"):
        hold(Own(), {})


def test_the_example_of_the_documentation_runs(keras):
    page = Path(__file__).parents[2] / "docs" / "pruning.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    model = quantized_cnn(keras)
    x, y = random_data(model, 32, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    names = {"model": model, "x": x, "y": y, "loss": loss}
    exec(block, names)  # noqa: S102 - the page's own example
    assert sum(map(np.size, names["smaller"].get_weights())) < sum(
        map(np.size, model.get_weights())
    )
