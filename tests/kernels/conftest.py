"""Where compiled judges are kept between runs."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def judge_cache(pytestconfig: pytest.Config) -> Path:
    """A directory for `judge.Judge`."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("judge")
