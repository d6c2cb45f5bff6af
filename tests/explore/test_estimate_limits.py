"""Which trials estimates rule out: by hand, and against fronts of what everything really takes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explore import made_up
from flow.stream_designs import residual, save
from gatewright.explore import trial
from gatewright.explore.early_stopping import estimate, limits
from gatewright.explore.estimate_limits import estimate_limits, hopeful, hopeless
from gatewright.explore.outcome import EstimateLimits, Limits, Outcome, Trial, front
from gatewright.explore.space import Search
from gatewright.explore.trial import Task
from gatewright.flow.convert import load_rtl
from gatewright.flow.estimate import estimate_project
from gatewright.zoo import load_sweep

ERROR = 0.2
POINT = {"bits.a": 2}


def search(**keys):
    return Search.model_validate({"base": "w8", "space": {"bits.a": [2, 3, 4]}, **keys})


def early(accuracy, lut, dsp=0, **figures):
    return Outcome(
        state="stopped",
        reason="estimate",
        figures={"accuracy_validation": accuracy, **figures},
        expected={"lut": lut, "dsp": dsp, "bram": 4.0},
        errors={"lut": ERROR, "dsp": 0.0},
    )


def done(number, accuracy, lut, about=None, **figures):
    known = {"accuracy_validation": accuracy, "lut": lut, "dsp": 0.0, **figures}
    expected = {"lut": lut if about is None else about}
    return Trial(number, POINT, Outcome(state="done", figures=known, expected=expected))


@pytest.mark.parametrize(
    ("constraint", "outcome", "expected"),
    [
        ("lut<=1000", early(0.9, 1200), False),  # may be 1000
        ("lut<=1000", early(0.9, 1201), True),
        ("lut>=1000", early(0.9, 100), False),  # nothing is known of how low an estimate is
        ("dsp<=0", early(0.9, 10, dsp=1), True),
        ("bram<=0", early(0.9, 10), False),  # its error is unknown
        ("xcup.uram<=0", early(0.9, 10), False),  # nothing is known
        ("accuracy>=0.9", early(0.9, 10), False),
        ("accuracy>=0.9", early(0.8999, 10), True),  # measured
    ],
)
def test_constraints(constraint, outcome, expected):
    assert hopeless(estimate_limits(search(constraints=[constraint]), []), outcome) is expected


@pytest.mark.parametrize(
    ("objectives", "rival", "outcome", "expected"),
    [
        (["accuracy", "lut"], done(0, 0.9, 1000), early(0.9, 1201), True),
        (["accuracy", "lut"], done(0, 0.9, 1000), early(0.9, 1200), False),
        (["accuracy", "lut"], done(0, 0.9, 1000), early(0.901, 9999), False),
        (["accuracy", "dsp"], done(0, 0.9, 1000), early(0.9, 10, dsp=1), True),
        (["accuracy", "dsp"], done(0, 0.9, 1000), early(0.8, 10, dsp=0), False),
        (["accuracy", "bram"], done(0, 0.9, 1000, bram=0.0), early(0.9, 10), False),
        (["accuracy", "lut", "uram"], done(0, 0.9, 1000, uram=0.0), early(0.9, 9999), False),
        (["accuracy", "lut", "carry"], done(0, 0.9, 1000, carry=0.0), early(0.9, 9999), False),
    ],
)
def test_domination(objectives, rival, outcome, expected):
    found = estimate_limits(search(objectives=objectives), [rival])
    assert hopeless(found, outcome) is expected


def test_timing_is_compared_by_schedule_and_clock():
    timed = search(objectives=["accuracy", "lut", "latency_ns"])
    rival = done(0, 0.9, 1000, latency_predicted=9, clock=5.0, latency_ns=45.0)
    found = estimate_limits(timed, [rival])
    assert hopeless(found, early(0.9, 5000, latency_predicted=9, clock=5.0))
    assert not hopeless(found, early(0.9, 5000, latency_predicted=8, clock=5.0))
    assert not hopeless(found, early(0.9, 5000, latency_predicted=10, clock=4.0))


def test_a_rival_meets_the_constraints():
    constrained = search(constraints=["lut<=999"])
    assert estimate_limits(constrained, [done(0, 0.9, 1000)]).rivals == ()
    assert estimate_limits(constrained, [done(0, 0.9, 999)]).rivals == ((0.9, 999),)


def test_errors_that_a_search_has_seen_count():
    found = estimate_limits(search(constraints=["lut<=1000"]), [done(0, 0.8, 1000, about=1500)])
    assert found.overestimated == (("lut", 0.5),)
    assert not hopeless(found, early(0.9, 1500))
    assert hopeless(found, early(0.9, 1501))


def test_what_was_stopped_is_hopeful_once_its_rival_fails_or_estimates_err_more():
    weighed = search()
    first, last = done(0, 0.9, 1000), done(2, 0.8, 100, about=200)
    stopped = Trial(1, POINT, early(0.85, 1900))
    assert hopeful(weighed, [first, stopped]) == []
    assert hopeful(weighed, [first, stopped, last]) == [stopped]
    failed = replace(first, outcome=Outcome(state="failed", error="not exact"))
    assert hopeful(weighed, [failed, stopped]) == [stopped]


def test_without_a_result_the_nearest_is_hopeful():
    constrained = search(constraints=["lut<=10"])
    stopped = [Trial(n, POINT, early(0.9, lut)) for n, lut in enumerate([90, 70, 70])]
    assert hopeful(constrained, stopped) == [stopped[1]]
    assert hopeful(constrained, []) == []


def test_the_sampler_is_told_estimates():
    figures = estimate(search(), [], Trial(0, POINT, early(0.9, 1300)))
    assert (figures["accuracy_validation"], figures["lut"]) == (0.9, 1300)


RESULTS = st.tuples(
    st.sampled_from([0.7, 0.8, 0.9, 0.95]),
    st.integers(100, 3000),
    st.floats(1 - ERROR, 1 + ERROR),
)


@given(st.lists(RESULTS, min_size=1, max_size=25), st.sampled_from([[], ["lut<=1500"]]))
def test_the_front_is_that_of_all_synthesized(results, constraints):
    weighed = search(constraints=constraints)
    told, every = [], []
    for number, (accuracy, lut, factor) in enumerate(results):
        every.append(done(number, accuracy, lut))
        soon = early(accuracy, factor * lut)
        out = hopeless(estimate_limits(weighed, told), soon)
        told.append(
            Trial(number, POINT, soon) if out else done(number, accuracy, lut, factor * lut)
        )
    while found := hopeful(weighed, told):
        for one in found:
            told[one.number] = every[one.number]
    assert [one.number for one in front(weighed, told)] == [
        one.number for one in front(weighed, every)
    ]


class Hardware:
    """The hardware flow of a project that is there, without verification and synthesis."""

    def __init__(self, directory):
        self.directory = directory

    def convert(self):
        pass

    def size_fifos(self):
        pass

    def estimate(self):
        return estimate_project(self.directory)

    def synthesize(self, targets):
        raise InterruptedError(targets)


def built(tmp_path, bar, wanted=("accuracy_validation", "lut", "latency_ns")):
    folder = made_up.model(tmp_path / "toy")
    sweep = load_sweep(folder)
    config = sweep.make_config({"name": "a", "bits": 4}, "a test")
    task = Task(sweep, config, wanted, Limits(estimate=bar), tmp_path / "store")
    save(residual(9), tmp_path / "p")
    figures = {"accuracy_validation": 0.9}
    return trial._build_until_stopped(task, Hardware(tmp_path / "p"), tmp_path / "p", figures)


def test_a_hopeless_trial_is_not_synthesized(tmp_path):
    outcome = built(tmp_path, EstimateLimits(constraints=("lut<=10",)))
    found, project = estimate_project(tmp_path / "p"), load_rtl(tmp_path / "p")
    assert (outcome.state, outcome.reason) == ("stopped", "estimate")
    assert outcome.expected["lut"] == outcome.expected["xcup.lut"] == found.total.lut
    assert outcome.expected["latency_ns"] == project.latency * project.clock_ns
    assert outcome.errors["lut"] == outcome.errors["xcup.lut"] == found.errors["lut"]
    assert set(outcome.figures) == {
        "accuracy_validation", "clock", "latency_predicted", "ii_predicted"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bar", "wanted"),
    [
        (EstimateLimits(constraints=("lut<=1000000",)), ("lut",)),
        (EstimateLimits(constraints=("lut<=10",)), ("lut", "lutram")),  # which has no estimate
        (None, ("lut",)),
    ],
)
def test_others_are(tmp_path, monkeypatch, bar, wanted):
    with pytest.raises(InterruptedError, match="xcup"):
        built(tmp_path, bar, wanted)


def test_estimates_are_limited_only_where_synthesis_is_needed():
    assert limits(search(objectives=["accuracy", "ebops"]), [], POINT).estimate is None
    assert limits(search(), [], POINT).estimate is not None
    assert limits(search(stop={"estimate": False}), [], POINT).estimate is None
