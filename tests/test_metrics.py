"""Metrics, held against those of scikit-learn and Keras."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from gatewright.errors import InputError
from gatewright.frontend.quiet import import_keras
from gatewright.metrics import ACCURACY, METRICS, Goal, Metric, named_metric, usual_metric

RNG = np.random.default_rng(3)
LABELS = RNG.integers(0, 4, 60)
SCORES = RNG.normal(size=(60, 4)).astype(np.float32)
BITS = RNG.integers(0, 2, (60, 3))
CHANCES = RNG.uniform(size=(60, 3)).astype(np.float32)
IMAGES, OTHERS = RNG.normal(size=(2, 60, 5, 6, 2)).astype(np.float32)


def test_accuracy_is_that_of_scikit_learn_and_keras():
    expected = sklearn_metrics.accuracy_score(LABELS, SCORES.argmax(axis=1))
    assert ACCURACY.of(LABELS, SCORES) == pytest.approx(expected)
    keras = import_keras("tf_keras")
    sparse = keras.metrics.SparseCategoricalAccuracy()
    assert ACCURACY.of(LABELS, SCORES) == pytest.approx(float(sparse(LABELS, SCORES)))
    one_hot = np.eye(4)[LABELS]
    assert ACCURACY.of(one_hot, SCORES) == ACCURACY.of(LABELS.astype(float), SCORES)


def test_binary_accuracy_is_that_of_keras():
    keras = import_keras("tf_keras")
    expected = float(keras.metrics.BinaryAccuracy()(BITS, CHANCES))
    assert METRICS["binary accuracy"].of(BITS, CHANCES) == pytest.approx(expected)
    logits = np.log(CHANCES / (1 - CHANCES))
    assert METRICS["binary accuracy of logits"].of(BITS, logits) == pytest.approx(expected)


def test_auc_is_that_of_scikit_learn_for_any_shape_of_one_score():
    expected = sklearn_metrics.roc_auc_score(BITS[:, 0], CHANCES[:, 0])
    for targets in (BITS[:, 0], BITS[:, :1]):
        for outputs in (CHANCES[:, 0], CHANCES[:, :1]):
            assert METRICS["AUC"].of(targets, outputs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("mean squared error", sklearn_metrics.mean_squared_error),
        ("mean absolute error", sklearn_metrics.mean_absolute_error),
    ],
)
def test_errors_are_those_of_scikit_learn_also_where_outputs_are_flat(name, judge):
    flat, other = IMAGES.reshape(60, -1), OTHERS.reshape(60, -1)
    expected = judge(flat.astype(np.float64), other.astype(np.float64))
    for targets in (IMAGES, flat):
        for outputs in (OTHERS, other):
            assert METRICS[name].of(targets, outputs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "targets", "outputs", "said"),
    [
        ("accuracy", LABELS, SCORES[:, :1], r"outputs \[60, 1\] are no scores of classes"),
        ("accuracy", LABELS[:9], SCORES, r"targets \[9\] are neither labels \[60\] nor scores"),
        ("accuracy", LABELS + 0.5, SCORES, "must be whole numbers"),
        ("accuracy", LABELS + 1, SCORES, "labels are from 1 to 4, but there are 4 classes"),
        ("accuracy", LABELS - 1, SCORES, "labels are from -1 to 2"),
        ("binary accuracy", BITS, SCORES[:, :3], "and so no probabilities; for logits there is"),
        ("binary accuracy", BITS * 2, CHANCES, "targets of this metric must be 0 or 1"),
        ("AUC", BITS, CHANCES, "AUC needs one score for each sample"),
        ("AUC", BITS[:, 0] * 0, CHANCES[:, 0], "AUC needs one score"),
        ("mean squared error", LABELS, SCORES, r"\[60\] and outputs \[60, 4\] have different"),
        ("mean absolute error", IMAGES[:5], IMAGES, "have different shapes"),
    ],
)
def test_what_does_not_fit_is_refused(name, targets, outputs, said):
    with pytest.raises(InputError, match=said):
        METRICS[name].of(targets, outputs)


def test_one_of_several_outputs_has_to_be_named():
    targets, outputs = {"a": LABELS, "b": BITS}, {"a": SCORES, "b": CHANCES}
    with pytest.raises(InputError, match=r"\{NAME: 'accuracy'\}, from a, b"):
        ACCURACY.of(targets, outputs)
    assert named_metric("accuracy", "a").of(targets, outputs) == ACCURACY.of(LABELS, SCORES)
    with pytest.raises(InputError, match="there is no target 'c'; choose from a, b"):
        named_metric("accuracy", "c").of(targets, outputs)


def test_a_function_of_its_owner_takes_all_outputs_and_stays_in_range():
    both = Metric("both", "more", lambda y, out: float((y["a"] == out["a"]).mean()) * y["b"].size)
    with pytest.raises(InputError, match="metric 'both' is 3; it must be a share from 0 to 1"):
        both.of({"a": np.ones(4), "b": np.ones(3)}, {"a": np.ones(4)})
    for value in (-1.0, float("nan"), float("inf")):
        wrong = Metric("wrong", "less", lambda *_, value=value: value)
        with pytest.raises(InputError, match="an error of 0 or more"):
            wrong.of(LABELS, SCORES)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["more", "less"]))
def test_what_is_worse_loses(before, after, better):
    goal = Goal("any", better)
    assert goal.worse(after, before) == (goal.lost(before, after) > 0)
    if better == "more" or before == after:
        assert goal.lost(before, after) == pytest.approx(before - after)
    else:
        assert goal.lost(2.0, 2.5) == 0.25


@given(arrays(np.float64, 5, elements=st.floats(-9, 9)))
def test_only_labels_have_a_usual_metric(values):
    whole = all(float(value).is_integer() for value in values)
    assert (usual_metric(values) is ACCURACY) == whole
    assert usual_metric(values[:, None]) is None
    assert usual_metric({"a": values}) is None
    assert usual_metric(values.astype(np.int64)) is ACCURACY


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="no metric 'loss'; choose from accuracy, binary acc"):
        named_metric("loss")
