"""Compiled judges, which are kept between runs."""

from pathlib import Path

import pytest
from judge import Judge


@pytest.fixture(scope="session")
def judge_cache(pytestconfig: pytest.Config) -> Path:
    """A directory for `judge.Judge`."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("judge")


@pytest.fixture(scope="module")
def few(request: pytest.FixtureRequest, judge_cache: Path) -> Judge:
    """The judge of a module's `FEW` trials, which the fast tests run."""
    return Judge([each.call() for each in request.module.FEW], judge_cache, request.module.HEADERS)


@pytest.fixture(scope="module")
def more(request: pytest.FixtureRequest, judge_cache: Path) -> Judge:
    """The judge of a module's `MORE` trials."""
    return Judge([each.call() for each in request.module.MORE], judge_cache, request.module.HEADERS)
