"""Times of calls that are repeated, the first ones left out."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP = 0.1  # seconds
FEWEST, MOST = 50, 100_000  # calls that are timed


def time_calls(call: Callable[[], object], seconds: float) -> tuple[float, float, float, int]:
    """Wall time of a call in microseconds: 5th percentile, median, 95th percentile; and how many.

    Args:
        call: what to time.
        seconds: how long to go on; longer if need be for `FEWEST` calls.
    """
    clock = time.perf_counter_ns
    end = clock() + int(1e9 * min(WARM_UP, seconds))
    call()
    while clock() < end:
        call()
    taken: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = clock() + int(1e9 * seconds)
        now = clock()
        while (now < end or len(taken) < FEWEST) and len(taken) < MOST:
            start = clock()
            call()
            now = clock()
            taken.append(now - start)
    finally:
        if collecting:
            gc.enable()
    low, median, high = np.percentile(taken, [5, 50, 95]) / 1e3
    return float(low), float(median), float(high), len(taken)
