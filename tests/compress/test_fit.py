"""Fitting, held against Keras by hand: losses, optimizer, what must not move."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gatewright.compress.dataset import Data, Samples
from gatewright.compress.fit import Teaching, _taught, fit, score
from gatewright.compress.recipe import Training
from gatewright.errors import InputError
from gatewright.metrics import ACCURACY, METRICS

CLASSES = 3
TRAINING = Training(epochs=4, batch_size=16, learning_rate=0.02, seed=3)


def network(keras, *, softmax=False, seed=3):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.Dense(CLASSES, activation="softmax" if softmax else None, name="out"),
        ]
    )


def samples(validation=0):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, CLASSES))).argmax(axis=1)
    whole, cut = Samples(x, y), len(x) - validation
    return Data(whole.part(slice(cut)), whole.part(slice(cut, None)), whole)


def cross_entropy(keras, *, from_logits):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def test_it_is_adam_with_a_cosine_as_keras_has_them(keras):
    data, loss = samples(), cross_entropy(keras, from_logits=True)
    ours, theirs = network(keras), network(keras)
    keras.utils.set_random_seed(5)
    fitted = fit(ours, data, loss, ACCURACY, TRAINING)
    keras.utils.set_random_seed(5)
    rate = keras.optimizers.schedules.CosineDecay(0.02, 4 * 6)
    theirs.compile(keras.optimizers.Adam(rate), loss)
    history = theirs.fit(data.train.x, data.train.y, batch_size=16, epochs=4, verbose=0)
    assert list(fitted.losses) == history.history["loss"]
    for left, right in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert (fitted.curve, fitted.stopped) == ((), False)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("teacher_softmax", [False, True])
def test_the_soft_loss_is_hintons(keras, softmax, teacher_softmax):
    """Loss of each sample, with Keras' own cross entropy and Kullback-Leibler divergence."""
    data, temperature, weight = samples(), 3.0, 0.3
    student = network(keras, softmax=softmax)
    teacher = network(keras, softmax=teacher_softmax, seed=8)
    x, y = data.train.x, data.train.y
    outputs = teacher(x).numpy()
    taught, targets = _taught(
        cross_entropy(keras, from_logits=not softmax),
        [y],
        Teaching(outputs, temperature, weight),
        student,
    )

    def softened(model):
        """Softmax of the sums before any softmax of the model's own, divided by T."""
        inner = keras.Model(model.input, model.get_layer("hidden").output)
        kernel, bias = model.get_layer("out").get_weights()
        logits = inner(x).numpy().astype(np.float64) @ kernel + bias
        powers = np.exp(logits / temperature)
        return powers / powers.sum(axis=1, keepdims=True)

    hard = keras.losses.sparse_categorical_crossentropy(y, student(x), from_logits=not softmax)
    soft = keras.losses.kl_divergence(softened(teacher), softened(student))
    expected = (1 - weight) * hard.numpy() + weight * temperature**2 * soft.numpy()
    np.testing.assert_allclose(
        taught(targets[0], student(x)).numpy(), expected, rtol=2e-4, atol=1e-5
    )


def test_a_student_of_nothing_but_its_teacher_comes_to_agree_with_it(keras):
    data = samples()
    teacher, student = network(keras, seed=8), network(keras)
    outputs = teacher.predict(data.train.x, verbose=0)
    says = Samples(data.train.x, outputs.argmax(axis=1))
    before = score(student, says, ACCURACY)
    # The labels are noise and have no part in the loss.
    noise = Samples(data.train.x, np.random.default_rng(2).permutation(data.train.y))
    data = Data(noise, data.validation, data.test)
    long = TRAINING.model_copy(update={"epochs": 60})
    teaching = Teaching(outputs, 2.0, 1.0)
    fit(student, data, cross_entropy(keras, from_logits=True), ACCURACY, long, teaching=teaching)
    assert score(student, says, ACCURACY) >= 0.9 > before + 0.2


def test_a_teacher_of_values_counts_by_the_same_loss(keras):
    """Loss of each sample, with Keras' own mean squared error of targets and of the teacher."""
    rng, loss = np.random.default_rng(4), keras.losses.MeanSquaredError()
    student = network(keras)
    values, outputs, own = rng.normal(size=(3, 50, CLASSES)).astype(np.float32)
    taught, targets = _taught(loss, [values], Teaching(outputs, None, 0.25), student)
    hard, soft = (keras.losses.mean_squared_error(these, own) for these in (values, outputs))
    expected = 0.75 * hard.numpy() + 0.25 * soft.numpy()
    np.testing.assert_allclose(taught(targets[0], own).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("teaching", "loss", "said"),
    [
        (Teaching(np.zeros((90, 5), "f"), 2.0, 0.5), None, r"outputs are \[5\], the model's \[3\]"),
        (
            Teaching(np.zeros((90, 3), "f"), 2.0, 0.5),
            "MeanSquaredError",
            "temperature is of scores",
        ),
        (Teaching(np.zeros((90, 3), "f"), None, 0.5), "poisson", "of its Loss, not poisson"),
        (Teaching({"a": np.zeros((90, 3), "f")}, None, 0.5), None, "a model of one output"),
    ],
)
def test_a_teacher_has_to_fit(keras, teaching, loss, said):
    if loss is None:
        loss = cross_entropy(keras, from_logits=True)
    elif loss == "MeanSquaredError":
        loss = keras.losses.MeanSquaredError()
    with pytest.raises(InputError, match=said):
        fit(network(keras), samples(), loss, ACCURACY, TRAINING, teaching=teaching)


def test_frozen_layers_stay_and_thaw(keras):
    model, loss = network(keras), cross_entropy(keras, from_logits=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    fit(model, samples(), loss, ACCURACY, TRAINING, freeze=["hidden"])
    for name, stays in ("hidden", True), ("out", False):
        after = model.get_layer(name).get_weights()
        assert np.array_equal(after[0], before[name][0]) == stays
    assert all(layer.trainable for layer in model.layers)
    with pytest.raises(InputError, match="freeze: there is no layer 'out2'; layers are hidden, o"):
        fit(model, samples(), loss, ACCURACY, TRAINING, freeze=["out2"])


def test_validation_accuracy_is_told_and_kept(keras):
    told = []
    data, model = samples(validation=20), network(keras)
    loss = cross_entropy(keras, from_logits=True)
    fitted = fit(model, data, loss, ACCURACY, TRAINING, report=told.append)
    assert [message["epoch"] for message in told] == [1, 2, 3, 4]
    assert [message["validation"] for message in told] == list(fitted.curve)
    assert [message["loss"] for message in told] == list(fitted.losses)
    last = model.predict(data.validation.x, verbose=0).argmax(axis=1) == data.validation.y
    assert fitted.curve[-1] == np.mean(last)


def test_below_the_floor_it_stops(keras):
    data, loss = samples(validation=20), cross_entropy(keras, from_logits=True)
    whole = fit(network(keras), data, loss, ACCURACY, TRAINING)
    floor = [*whole.curve[:2], 1.01, 0.0]
    assert not fit(network(keras), data, loss, ACCURACY, TRAINING, floor=floor[:2]).stopped
    cut = fit(network(keras), data, loss, ACCURACY, TRAINING, floor=floor)
    assert cut.stopped
    assert (cut.curve, cut.losses) == (whole.curve[:3], whole.losses[:3])


def test_a_loss_that_is_no_number_is_said(keras):
    data, steep = samples(), TRAINING.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(
        InputError, match=r"the loss of epoch . is (nan|inf); take a smaller learning_rat"
    ):
        fit(network(keras), data, cross_entropy(keras, from_logits=True), ACCURACY, steep)


DEVICES = """
import json, numpy as np
from gatewright.compress.fit import fit, use_devices
from gatewright.compress.recipe import Training
import sys
count = int(sys.argv[1])
devices = use_devices(count or None)
import tensorflow as tf, tf_keras as keras
replicas = []
with devices.scope():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    x = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
    data = {"x_train": x, "y_train": x[:, :3].argmax(axis=1), "x_validation": x[:0]}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted = fit(model, data, loss, Training(epochs=3, batch_size=16, learning_rate=0.05, seed=3))
print(json.dumps([devices.names, replicas, fitted.losses, model.get_weights()[0].tolist()]))
"""


@pytest.mark.full
def test_several_devices_share_a_batch():
    """Two halves of a batch give the gradient of the whole, up to the order of sums."""
    results = {}
    for count in (0, 1, 2):
        run = subprocess.run(
            [sys.executable, "-c", DEVICES, str(count)],
            env={"TF_USE_LEGACY_KERAS": "1", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=True,
        )
        results[count] = json.loads(run.stdout.splitlines()[-1])
    assert [results[count][:2] for count in (0, 1, 2)] == [
        [["CPU:0"], 1],
        [["CPU:0"], 1],
        [["CPU:0", "CPU:1"], 2],
    ]
    assert results[0] == results[1]
    np.testing.assert_allclose(results[2][2], results[1][2], rtol=1e-5)
    np.testing.assert_allclose(results[2][3], results[1][3], rtol=1e-4, atol=1e-6)


def values(validation=20):
    """Data of two inputs with a target for each of two outputs."""
    rng = np.random.default_rng(6)
    left, right = rng.normal(size=(2, 120, 4)).astype(np.float32)
    total = (left + right).sum(axis=1, keepdims=True)
    whole = Samples({"left": left, "right": right}, {"sum": total, "sign": (total > 0)[:, 0] * 1})
    cut = 120 - validation
    return Data(whole.part(slice(cut)), whole.part(slice(cut, None)), whole)


def forked(keras):
    keras.utils.set_random_seed(2)
    left, right = (keras.Input((4,), name=name) for name in ("left", "right"))
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Concatenate()([left, right]))
    outputs = keras.layers.Dense(1, name="sum")(hidden), keras.layers.Dense(2, name="sign")(hidden)
    return keras.Model([left, right], outputs)


def test_several_inputs_and_outputs_with_a_metric_of_one(keras):
    """As Keras itself fits them, with the data by name."""
    data, loss = values(), {"sum": "mse", "sign": cross_entropy(keras, from_logits=True)}
    metric = replace(METRICS["mean squared error"], output="sum")
    ours, theirs = forked(keras), forked(keras)
    keras.utils.set_random_seed(5)
    fitted = fit(ours, data, loss, metric, TRAINING)
    keras.utils.set_random_seed(5)
    rate = keras.optimizers.schedules.CosineDecay(0.02, 4 * 7)
    theirs.compile(keras.optimizers.Adam(rate), loss)
    history = theirs.fit(dict(data.train.x), dict(data.train.y), batch_size=16, epochs=4, verbose=0)
    np.testing.assert_allclose(fitted.losses, history.history["loss"], rtol=1e-6)
    found = theirs.predict(dict(data.validation.x), verbose=0)[0]
    expected = np.mean((found - data.validation.y["sum"]) ** 2)
    assert fitted.curve[-1] == pytest.approx(expected, rel=1e-5)
    assert fitted.curve[-1] < fitted.curve[0]


def test_an_error_above_its_limit_stops(keras):
    data, metric = values(), replace(METRICS["mean squared error"], output="sum")
    loss = {"sum": "mse", "sign": cross_entropy(keras, from_logits=True)}
    whole = fit(forked(keras), data, loss, metric, TRAINING)
    limits = [2 * whole.curve[0], 2 * whole.curve[1], whole.curve[2] / 2, 1e9]
    cut = fit(forked(keras), data, loss, metric, TRAINING, floor=limits)
    assert cut.stopped
    assert cut.curve == whole.curve[:3]


def test_data_that_do_not_fit_the_model_are_said(keras):
    data, loss = values(), {"sum": "mse", "sign": cross_entropy(keras, from_logits=True)}
    with pytest.raises(InputError, match="given for left, right; the model's inputs are"):
        fit(network(keras), data, loss, ACCURACY, TRAINING)
    with pytest.raises(
        InputError, match="metric 'top-1 accuracy' is of one output; metric\\(\\) in"
    ):
        fit(forked(keras), data, loss, ACCURACY, TRAINING)
