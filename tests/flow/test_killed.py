"""Commands that are killed at random moments, or at work on one folder at once, do no harm."""

import sys
from pathlib import Path

import pytest

import gatewright

# The benchmark does the killing; `python -m benchmarks.robustness` tells its figures.
sys.path.insert(0, str(Path(gatewright.__file__).parents[2]))

from benchmarks import robustness

KILLS = {"convert": 17, "verify": 17, "synth": 17, "run": 17, "quantize": 16, "explore": 16}


def assert_harmless(found):
    assert found["differ"] == 0, found
    assert found["left_running"] == 0
    # What compilers and TensorFlow that are killed leave in the system's temporary directory is
    # theirs: they alone know of it.
    theirs = ("temporary/cc", "temporary/__pycache__", "temporary/__autograph")
    assert [name for name in found["litter"] if not name.startswith(theirs)] == []


def test_a_conversion_that_was_killed_is_done_again(tmp_path):
    assert_harmless(robustness.killed(tmp_path, "convert", 1))


@pytest.mark.full
@pytest.mark.parametrize("command", KILLS)
def test_commands_killed_at_random_moments_are_done_again(tmp_path, command):
    assert_harmless(robustness.killed(tmp_path, command, KILLS[command], seed=2))


@pytest.mark.full
def test_two_commands_on_one_folder_end_right_or_say_why(tmp_path):
    for names, found in robustness.pairs(tmp_path).items():
        assert found["right"], (names, found)
        failures = [status for status in found["statuses"] if status]
        assert len(failures) == len(found["said"]), (names, found)
        assert all(status == 2 for status in failures), (names, found)
