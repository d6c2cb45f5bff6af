"""Rules of early stopping, by numbers worked out with NumPy or by hand; and the front."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.explore.early_stopping import dominated, estimate, floor, limits
from gatewright.explore.outcome import Limits, Outcome, Trial, front, violations
from gatewright.explore.space import Search

RNG = np.random.default_rng(3)
EBOPS = np.array([500, 900, 1500, 2500, 4000, 7000, 12000])
LUTS = 1.7 * EBOPS**0.9 * np.exp(RNG.normal(0, 0.05, len(EBOPS)))


def search(**keys):
    space = {"bits.a": [2, 3, 4], "conversion.reuse_factor": [1, 4]}
    return Search.model_validate({"base": "w8", "space": space, **keys})


def done(number, ebops, lut, accuracy, curve=(), reuse=1):
    figures = {"ebops": float(ebops), "lut": float(lut), "accuracy_validation": accuracy}
    point = {"bits.a": 2, "conversion.reuse_factor": reuse}
    return Trial(number, point, Outcome(state="done", figures=figures, curve=curve))


def told(**keys):
    return [
        done(n, e, lut, 0.8 + 0.02 * n, **keys)
        for n, (e, lut) in enumerate(zip(EBOPS, LUTS, strict=True))
    ]


POINT = {"bits.a": 3, "conversion.reuse_factor": 1}


def test_most_ebops_is_where_a_fit_misses_the_constraint_by_far():
    found = limits(search(constraints=["lut<=3000"]), told(), POINT)
    slope, offset = np.polyfit(np.log(EBOPS), np.log(LUTS), 1)
    residuals = np.log(LUTS) - slope * np.log(EBOPS) - offset
    far = max(1.5, math.exp(3 * math.sqrt((residuals**2).sum() / (len(EBOPS) - 2))))
    expected = math.exp((math.log(3000 * far) - offset) / slope)
    assert found.ebops == pytest.approx(expected, rel=5e-3)


def test_nothing_is_said_too_early_or_of_other_hardware():
    constrained = search(constraints=["lut<=3000"], stop={"estimate": False})
    assert limits(constrained, told()[:5], POINT).ebops is None
    assert limits(constrained, told(reuse=4), POINT) == Limits(
        proxies=("accuracy_validation", "ebops")
    )
    assert limits(search(), told(), POINT).ebops is None  # nothing limits LUTs
    falling = [done(n, e, 1e7 / e, 0.9) for n, e in enumerate(EBOPS)]
    assert limits(constrained, falling, POINT).ebops is None


def test_rules_can_be_turned_off():
    off = search(
        constraints=["lut<=3000"],
        stop=dict.fromkeys(["ebops", "curve", "dominated", "estimate"], False),
    )
    assert limits(off, told(curve=(0.1, 0.2)), POINT) == Limits()


def test_floor_leaves_room_for_the_largest_gain_seen():
    curves = [(0.5, 0.7, 0.8), (0.6, 0.85, 0.9), (0.2, 0.7, 0.85)]
    trials = [done(n, e, e, 0.9, curves[n % 3]) for n, e in enumerate(EBOPS)]
    found = limits(search(constraints=["accuracy>=0.8"]), trials, POINT)
    assert (found.score, found.worst) == ("accuracy_validation", 0.8)
    assert found.gains == pytest.approx((0.65, 0.15, 0.0))
    # 0.8 - 1.25 * gain - 0.01
    assert floor(found, None) == pytest.approx((0.0, 0.6025, 0.79))


def test_floor_of_a_trial_that_a_cheaper_one_betters():
    found = Limits(
        gains=(0.2, 0.0),
        rivals=((0.7, 1000.0), (0.9, 5000.0)),
        proxies=("accuracy_validation", "ebops"),
    )
    assert floor(found, 10000) == pytest.approx((0.9 - 0.25 - 0.01, 0.89))
    assert floor(found, 2000) == pytest.approx((0.7 - 0.25 - 0.01, 0.69))
    assert floor(found, 1050) == ()  # not surely more expensive than any
    assert floor(found, None) == ()


def with_errors(trials):
    """The same trials with an error in place of the accuracy."""
    return [
        Trial(
            trial.number,
            trial.point,
            trial.outcome.model_copy(
                update={
                    "figures": {
                        name.replace("accuracy", "error"): value
                        for name, value in trial.outcome.figures.items()
                    }
                }
            ),
        )
        for trial in trials
    ]


def test_limits_of_errors_leave_room_for_the_largest_fall_seen():
    curves = [(0.5, 0.2, 0.1), (0.6, 0.1, 0.09), (0.2, 0.16, 0.08)]
    trials = with_errors([done(n, e, e, 0.1, curves[n % 3]) for n, e in enumerate(EBOPS)])
    found = limits(search(objectives=["error", "lut"], constraints=["error<=0.1"]), trials, POINT)
    assert (found.score, found.worst) == ("error_validation", 0.1)
    assert found.gains == pytest.approx((0.85, 0.5, 0.0))
    # 0.1 / (1 - 1.25 * gain - 0.01); in the first epoch an error may fall to nothing
    assert floor(found, None) == pytest.approx((1e300, 0.1 / 0.365, 0.1 / 0.99))


def test_limits_of_a_trial_whose_error_a_cheaper_one_betters():
    found = Limits(
        score="error_validation",
        gains=(0.2, 0.0),
        rivals=((0.03, 1000.0), (0.01, 5000.0)),
        proxies=("error_validation", "ebops"),
    )
    assert floor(found, 10000) == pytest.approx((0.01 / 0.74, 0.01 / 0.99))
    assert floor(found, 2000) == pytest.approx((0.03 / 0.74, 0.03 / 0.99))
    assert floor(found, 1050) == ()
    assert dominated(found, {"error_validation": 0.02, "ebops": 6000.0})
    assert not dominated(found, {"error_validation": 0.02, "ebops": 5000.0})
    assert not dominated(found, {"error_validation": 0.005, "ebops": 1e6})


def test_an_error_is_estimated_by_the_end_of_its_curve():
    asked = search(objectives=["error", "lut"])
    stopped = Trial(9, POINT, Outcome(state="stopped", reason="training curve", curve=(0.5, 0.3)))
    assert estimate(asked, with_errors(told()), stopped)["error_validation"] == 0.3


def test_curves_of_several_lengths_say_nothing():
    trials = [done(n, e, e, 0.9, (0.5,) * (2 + n % 2)) for n, e in enumerate(EBOPS)]
    assert limits(search(), trials, POINT).gains == ()


def test_dominated_by_the_more_accurate_of_clearly_lower_cost():
    found = limits(search(), told(), POINT)
    assert found.proxies == ("accuracy_validation", "ebops")

    def is_dominated(accuracy, ebops):
        return dominated(found, {"accuracy_validation": accuracy, "ebops": ebops})

    assert is_dominated(0.80, 500 / 0.89)
    assert not is_dominated(0.80, 500 / 0.91)
    assert not is_dominated(0.801, 500 / 0.89)
    assert not is_dominated(0.95, 1e6)
    assert not dominated(found, {"ebops": 1e6})  # as long as the accuracy is not known


def test_latency_is_compared_by_schedule_and_clock():
    timed = search(objectives=["accuracy", "lut", "latency_ns"])
    trials = [
        Trial(
            t.number,
            t.point,
            t.outcome.model_copy(
                update={"figures": t.outcome.figures | {"latency_predicted": 10.0, "clock": 5.0}}
            ),
        )
        for t in told()
    ]
    found = limits(timed, trials, POINT)
    worse = {"accuracy_validation": 0.8, "ebops": 1e4}
    assert not dominated(found, worse)  # not scheduled yet
    assert dominated(found, worse | {"latency_predicted": 10.0, "clock": 5.0})
    assert not dominated(found, worse | {"latency_predicted": 9.0, "clock": 5.0})
    assert not dominated(found, worse | {"latency_predicted": 10.0, "clock": 4.0})


def test_objectives_that_nothing_stands_for():
    assert limits(search(objectives=["accuracy", "dsp"]), told(), POINT).proxies == ()
    assert not dominated(Limits(), {"accuracy_validation": 0.0, "ebops": 1e9})


def test_estimates_are_for_what_is_not_known():
    asked = search(objectives=["accuracy", "lut"], constraints=["ebops<=3000"])
    stopped = Trial(
        9, POINT, Outcome(state="stopped", reason="compute cost", expected={"ebops": 5000.0})
    )
    found = estimate(asked, told(), stopped)
    slope, offset = np.polyfit(np.log(EBOPS), np.log(LUTS), 1)
    assert found["lut"] == pytest.approx(math.exp(offset) * 5000**slope)
    assert found["accuracy_validation"] == pytest.approx(0.86)  # the median
    assert violations(asked, found) == {"ebops<=3000": pytest.approx(2 / 3)}
    known = Trial(
        9,
        POINT,
        Outcome(state="stopped", reason="training curve", curve=(0.2, 0.3), expected={}),
    )
    assert estimate(asked, told(), known)["accuracy_validation"] == 0.3
    assert "lut" not in estimate(asked, told(), known)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 5), st.booleans()), min_size=1, max_size=12
    )
)
def test_the_front_is_what_nothing_betters(rows):
    asked = search(constraints=["lut<=40"])
    trials = [
        Trial(n, POINT, done(n, 1, 10 * lut, accuracy / 4).outcome)
        if is_done
        else Trial(n, POINT, Outcome(state="stopped", figures={"lut": 1.0}))
        for n, (accuracy, lut, is_done) in enumerate(rows)
    ]
    allowed = [(a, lut) for a, lut, is_done in rows if is_done and lut <= 4]
    expected = {
        own
        for own in allowed
        if not any(other != own and other[0] >= own[0] and other[1] <= own[1] for other in allowed)
    }
    found = front(asked, trials)
    assert [t.number for t in found] == sorted(t.number for t in found)
    assert sorted(rows[t.number][:2] for t in found) == sorted(expected)
    for one, other in itertools.pairwise(found):
        assert one.number < other.number
