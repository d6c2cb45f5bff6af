"""The searches of the zoo: each can be read, and its points are configurations."""

from pathlib import Path

import pytest

from gatewright.explore.sampler import make_sampler
from gatewright.explore.space import load_search
from gatewright.zoo import load_sweep

MODELS = Path(__file__).resolve().parents[2] / "models"
SEARCHES = sorted(
    file.parent.name
    for file in MODELS.glob("*/sweep.yaml")
    if load_sweep(file.parent).search is not None
)


def test_there_are_some():
    assert "digits_mlp" in SEARCHES


@pytest.mark.parametrize("model", SEARCHES)
def test_points_are_configurations(model):
    plan = load_search(MODELS / model)
    sampler = make_sampler(plan.search)
    points = [sampler.ask() for _ in range(5)]
    configs = [plan.config(f"trial{n}", point) for n, point in enumerate(points)]
    assert len({config.model_dump_json() for config in configs}) == 5
    assert all(config.training.validation == plan.search.validation for config in configs)
