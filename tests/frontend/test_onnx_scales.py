"""Affine functions of short constants that have the steps of a quantizer."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewright.frontend.readers.onnx_scales import (
    PLAIN,
    Meaning,
    NoAffine,
    Steps,
    affine_steps,
    weighted,
)

ROUNDINGS = {"ROUND": np.round, "FLOOR": np.floor, "CEIL": np.ceil}


@given(
    st.floats(1e-4, 3.0),
    st.floats(-40, 40),
    st.booleans(),
    st.integers(-3000, 3000),
    st.integers(1, 6000),
    st.integers(0, 3),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from(sorted(ROUNDINGS)),
)
@example(0.5, 0.0, False, 0, 3, 0, 2, False, "ROUND")  # ties, some up and some down
@example(0.5, 0.0, False, 0, 5, 0, 2, False, "ROUND")  # which no other line has, too
@example(0.5, 0.0, True, 0, 5, 0, 2, True, "ROUND")
@settings(max_examples=300, deadline=None)
def test_constants_have_the_quantizers_steps(
    unit, offset, negative, low, length, frac, bits, signed, rounding
):
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    meaning = Meaning(np.array([-unit if negative else unit]), np.array([offset]))
    steps = Steps(np.array([low]), np.array([low + length]), frac)

    def step(values):
        return np.clip(ROUNDINGS[rounding](values), least, most)

    found = affine_steps(meaning, steps, step, np.array([1.0]), (least, most))
    x = np.arange(low, low + length + 1) * 2.0**-frac
    wanted = step(meaning.unit[0] * x + offset)
    # Constants of 24 bits times numbers of 13: exact in float64.
    given = np.clip(np.round(found.scale[0] * x + found.offset[0]), least, most)
    # Values that hang on the last bits of float64 may be rounded either way, and are told of.
    values = meaning.unit[0] * x + offset
    error = 1e-6 * np.maximum(np.abs(values), 1)
    near = (step(values - error) != step(values + error)) & (2 * values % 1 != 0)
    assert np.array_equal(given[~near], wanted[~near])
    assert found.near or not near.any() or np.array_equal(given, wanted)
    for constant in (found.scale[0], found.offset[0]):
        assert np.float32(constant) == constant


def test_channels_have_constants_of_their_own():
    meaning = Meaning(np.array([0.3, 0.01, -0.7]), np.array([0.0, 2.0, 0.1]))
    steps = Steps(np.array([-50]), np.array([50]), 0)
    found = affine_steps(meaning, steps, lambda v: np.clip(np.round(v), -8, 7), 0.5, (-8, 7))
    n = np.arange(-50, 51)[:, None]
    wanted = np.clip(np.round((meaning.unit * n + meaning.offset) / 0.5), -8, 7)
    assert np.array_equal(np.clip(np.round(found.scale * n + found.offset), -8, 7), wanted)


def test_values_near_a_rounding_limit_are_told():
    def near(offset):
        meaning = Meaning(np.array([0.1]), np.array([offset]))
        steps = Steps(np.array([-100]), np.array([100]), 0)
        found = affine_steps(meaning, steps, lambda v: np.clip(np.round(v), 0, 7), 1.0, (0, 7))
        return found.near

    assert near(0.1 + 1e-9)
    assert not near(0.13)


def test_steps_that_no_line_has_are_refused():
    meaning = Meaning(np.array([0.5]), np.zeros(1))
    steps = Steps(np.array([-100]), np.array([100]), 0)
    with pytest.raises(NoAffine, match="no constants of up to 24 bits"):
        affine_steps(meaning, steps, lambda v: np.trunc(np.cbrt(v)), np.ones(1), (-64, 63))


def test_truncation_towards_zero_is_a_line_a_little_less_steep():
    meaning = Meaning(np.array([0.5]), np.zeros(1))
    steps = Steps(np.array([-100]), np.array([100]), 0)
    found = affine_steps(meaning, steps, np.trunc, np.ones(1), (-64, 63))
    n = np.arange(-100, 101)
    assert np.array_equal(np.round(found.scale[0] * n + found.offset[0]), np.trunc(0.5 * n))


def test_sums_too_large_for_exact_steps_are_refused():
    steps = Steps(np.array([-(1 << 40)]), np.array([1 << 40]), 0)
    with pytest.raises(NoAffine, match="too large"):
        affine_steps(PLAIN, steps, np.round, np.ones(1), (-8, 7))
    assert weighted(steps, np.ones((2, 2)), 0) is None


def test_ranges_of_weighted_sums():
    steps = Steps(np.array([0, -2]), np.array([3, 5]), 1)
    found = weighted(steps, np.array([[2, -1], [-3, 0]]), 2)
    assert found.frac == 3
    assert found.low.tolist() == [-15, -3] and found.high.tolist() == [12, 0]
