import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.simulate import StallPattern


@pytest.mark.parametrize(("share", "burst"), [(0.3, None), (0.7, None), (0.4, 24), (0.5, 1)])
def test_chain_pauses_for_the_share_asked(share, burst):
    enter, leave = StallPattern("p", share, 0, burst).chain(share)
    rng = np.random.default_rng(0)
    paused, states = False, []
    for draw in rng.random(200_000):
        paused = draw >= leave if paused else draw < enter
        states.append(paused)
    assert np.mean(states) == pytest.approx(share, abs=0.02)
    pauses = np.count_nonzero(np.diff(np.array(states, int)) == 1)
    assert np.sum(states) / pauses == pytest.approx(burst or 1 / (1 - share), rel=0.1)


@pytest.mark.parametrize("fields", [(-0.1, 0), (0, 1.0), (0.9, 0, 2), (0, 0, 0.5)])
def test_impossible_patterns_are_refused(fields):
    with pytest.raises(InputError, match="stall pattern 'p'"):
        StallPattern("p", *fields)


@pytest.mark.parametrize("pace", [0, -5, 2**32])
def test_impossible_pace_is_refused(pace):
    with pytest.raises(InputError, match=f"stall pattern 'p': pace must be .* got {pace}"):
        StallPattern("p", pace=pace)
