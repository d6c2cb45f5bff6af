"""The window rule: a search does the same whatever the workers, and however often it dies."""

import contextlib
import math
import random
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import DataError
from gatewright.explore.engine import WorkerDied
from gatewright.explore.outcome import Outcome, front
from gatewright.explore.sampler import make_sampler
from gatewright.explore.search import run_trials
from gatewright.explore.space import Search

SPACE = {
    "bits.a.weights": [2, 3, 4, 5, 6, 8],
    "bits.b.weights": [2, 3, 4, 5, 6, 8],
    "recipe.1.prune.amount": {"low": 0.0, "high": 0.8, "step": 0.1},
}


def a_search(**keys):
    return Search.model_validate({"base": "w8", "space": SPACE, "trials": 30, **keys})


def evaluate(point, limits):
    """A made-up trial: more bits are more accurate and larger; some fail, and limits hold."""
    a, b, gone = (point[path] for path in SPACE)
    ebops = (900 * a + 400 * b) * (1 - gone)
    accuracy = 1 - 0.5 * 2.0**-a - 0.3 * 2.0**-b - 0.1 * gone**3
    if limits.ebops is not None and ebops > limits.ebops:
        return Outcome(state="stopped", reason="compute cost", expected={"ebops": ebops})
    if (a, b) == (5, 5):
        return Outcome(state="failed", error="it does not like fives")
    figures = {"accuracy_validation": accuracy, "ebops": ebops}
    if any(theirs >= accuracy and cost <= 0.9 * ebops for theirs, cost in limits.rivals):
        return Outcome(state="stopped", reason="dominated", figures=figures)
    curve = tuple(accuracy - 0.1 * 0.5**epoch for epoch in range(4))
    lut = ebops * (1 + 0.05 * math.sin(17 * a + 3 * b))
    return Outcome(state="done", figures=figures | {"lut": lut}, curve=curve)


class Killed(BaseException):
    pass


class Workers:
    """Runs trials some at a time; which one ends first is drawn, and so may be a death."""

    def __init__(self, search, workers, seed, memory=None, dies_after=None):
        self.search = search
        self.free = workers
        self.random = random.Random(seed)
        self.memory = {} if memory is None else memory
        self.left = dies_after
        self.told = 0
        self.queue, self.asked, self.made = [], [], 0

    def start(self, number, point, limits):
        # The rule itself: asked for as soon as, and not before, these have been told.
        assert self.told == max(0, number - self.search.window + 1)
        key = repr((point, limits))
        future = Drawn(self)
        self.asked.append((number, key))
        if key in self.memory:
            future.set_result(self.memory[key])
        else:
            self.queue.append((key, point, limits, future))
        return future

    def ended(self, told):
        self.told = len(told)

    def end_one(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed
        running = self.queue[: self.free]
        key, point, limits, future = task = self.random.choice(running)
        self.queue.remove(task)
        self.made += 1
        outcome = evaluate(point, limits)
        self.memory[key] = outcome
        future.set_result(outcome)

    def run(self):
        return run_trials(self.search, make_sampler(self.search), self.start, self.ended)


class Drawn(Future):
    def __init__(self, workers):
        super().__init__()
        self.workers = workers

    def result(self, timeout=None):
        while not self.done():
            self.workers.end_one()
        return super().result(timeout)


SAMPLERS = ["tpe", "nsga2", "random", "grid"]
CONSTRAINTS = [[], ["lut<=6000"], ["lut<=6000", "accuracy>=0.9"]]


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(
    workers=st.integers(1, 12),
    order=st.integers(0, 2**32),
    window=st.integers(1, 10),
    constraints=st.sampled_from(CONSTRAINTS),
)
@settings(max_examples=8, deadline=None)
def test_trials_are_the_same_whatever_the_workers(sampler, workers, order, window, constraints):
    search = a_search(sampler=sampler, window=window, constraints=constraints)
    alone = Workers(search, 1, 0)
    many = Workers(search, workers, order)
    assert many.run() == alone.run()
    assert many.asked == alone.asked


@given(
    dies=st.lists(st.integers(0, 25), min_size=1, max_size=6),
    workers=st.integers(1, 6),
    order=st.integers(0, 2**32),
    sampler=st.sampled_from(SAMPLERS),
)
@settings(max_examples=15, deadline=None)
def test_a_search_killed_again_and_again_ends_as_an_undisturbed_one(dies, workers, order, sampler):
    search = a_search(sampler=sampler, constraints=["lut<=6000"])
    undisturbed = Workers(search, 2, 1)
    expected = undisturbed.run()
    memory, made = {}, 0
    for dies_after in dies:
        killed = Workers(search, workers, order, memory, dies_after)
        with contextlib.suppress(Killed):
            killed.run()
        made += killed.made
    last = Workers(search, workers, order, memory)
    trials = last.run()
    assert trials == expected
    assert front(search, trials) == front(search, expected)
    assert made + last.made == undisturbed.made  # nothing done twice


def test_a_repeat_makes_nothing():
    search = a_search()
    first = Workers(search, 3, 0)
    trials = first.run()
    again = Workers(search, 5, 1, first.memory)
    assert again.run() == trials
    assert again.made == 0


def test_samplers_learn():
    """Trials asked for late are better than trials at random: what is told arrives."""

    def shortfall(trials):
        best = [trial for trial in trials if trial.outcome.state == "done"][-12:]
        return sum(
            1 - trial.outcome.figures["accuracy_validation"] + trial.outcome.figures["lut"] / 1e4
            for trial in best
        ) / len(best)

    def mean(sampler):
        searches = [
            a_search(sampler=sampler, seed=seed, trials=60, stop={"dominated": False})
            for seed in range(6)
        ]
        return sum(shortfall(Workers(search, 2, 0).run()) for search in searches)

    assert mean("tpe") < mean("random")


def test_no_point_twice_and_the_end_of_a_space():
    space = {"bits.a.weights": [2, 3, 4], "bits.b.weights": [2, 3], "recipe.1.prune.amount": [0.0]}
    for sampler in SAMPLERS:
        search = a_search(space=space, sampler=sampler)
        trials = Workers(search, 2, 0).run()
        assert len({repr(trial.point) for trial in trials}) == len(trials) == 6


def test_points_come_first():
    search = a_search(
        points=[dict(zip(SPACE, (8, 8, 0.0), strict=True)), {"bits.a.weights": 2}], trials=5
    )
    trials = Workers(search, 2, 0).run()
    assert trials[0].point == dict(zip(SPACE, (8, 8, 0.0), strict=True))
    assert trials[1].point["bits.a.weights"] == 2
    assert len(trials) == 5


def test_a_death_fails_its_trial_alone():
    search = a_search(stop={"ebops": False, "curve": False, "dominated": False}, sampler="grid")

    def start(number, point, limits):
        future = Future()
        if number == 3:
            future.set_exception(WorkerDied("its process died (killed; out of memory perhaps)"))
        else:
            future.set_result(evaluate(point, limits))
        return future

    trials = run_trials(search, make_sampler(search), start)
    assert len(trials) == 30
    assert trials[3].outcome.state == "failed"
    assert not trials[3].outcome.lasting
    assert "out of memory" in trials[3].outcome.error
    assert [t.outcome for t in trials if t.number != 3] == [
        evaluate(t.point, t_limits) for t in trials if t.number != 3 for t_limits in [NO_LIMITS]
    ]


@pytest.mark.parametrize("without", [0, 3])
def test_a_search_whose_first_trial_has_no_data_ends(without):
    search = a_search(stop={"ebops": False, "curve": False, "dominated": False}, sampler="grid")

    def start(number, point, limits):
        future = Future()
        if number == without:
            future.set_exception(DataError("no network"))
        else:
            future.set_result(evaluate(point, limits))
        return future

    if without == 0:
        with pytest.raises(DataError):
            run_trials(search, make_sampler(search), start)
    else:
        assert run_trials(search, make_sampler(search), start)[3].outcome.error == "no network"


class NO_LIMITS:  # noqa: N801
    ebops = None
    rivals = ()


def test_other_errors_are_ours_and_end_the_search():
    search = a_search()

    def start(number, point, limits):
        future = Future()
        future.set_exception(ZeroDivisionError("a mistake in this program"))
        return future

    with pytest.raises(ZeroDivisionError):
        run_trials(search, make_sampler(search), start)
