"""Times are those of the call, after a warm-up."""

import time

from gatewright.system import stopwatch
from gatewright.system.stopwatch import time_calls


def test_the_time_of_a_call():
    calls = []

    def call():
        calls.append(0)
        time.sleep(0.002)

    low, median, high, count = time_calls(call, 0.01)
    assert count == stopwatch.FEWEST < len(calls)
    assert 2000 <= low <= median <= high
    assert median < 20_000


def test_as_many_calls_as_fit_into_the_time():
    start = time.monotonic()
    _, median, _, count = time_calls(lambda: None, 0.05)
    assert count > 1000 and median < 100
    assert time.monotonic() - start < 5
