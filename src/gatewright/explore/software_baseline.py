"""Software baselines of a configuration's float network on this machine's processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gatewright import baseline
from gatewright.compress.code import sources_of
from gatewright.compress.dataset import Data
from gatewright.compress.recipe_walk import measure_outputs
from gatewright.errors import InputError
from gatewright.metrics import Metric
from gatewright.report.schema import Baseline
from gatewright.zoo import obtain

if TYPE_CHECKING:
    from gatewright.compress.recipe_walk import TrainedModel
    from gatewright.metrics import Tensors
    from gatewright.store import Store
    from gatewright.zoo import Config, Sweep

_CALIBRATION = 500


def software_baselines(sweep: Sweep, config: Config, store: Store) -> tuple[Baseline, ...]:
    """Measure the network after the first step of a configuration's recipe, in software.

    Nothing else should run at the same time. Baselines in the store aren't measured again.

    Args:
        sweep: The sweep of the configuration.
        config: The configuration, whose recipe has been run.
        store: Has the recipe's steps, and receives the baselines.

    Returns:
        The baselines; a single one with a `problem` if the network can't be measured.
    """
    trained = obtain(sweep, config, store=store)
    data = Data.load(trained.data)
    metric = trained.metric
    if not isinstance(metric, Metric):
        metric = Metric(metric.name, metric.better, lambda _, outputs: _measured(trained, outputs))
    try:
        found = baseline.obtain(
            store,
            trained.steps[0].path,
            data.test.x,
            data.test.y,
            data.train.part(slice(_CALIBRATION)).x,
            metric=metric,
            of_metric=sources_of(sweep.model_dir) if metric.named is None else None,
        )
    except InputError as error:
        problem = str(error).replace(str(trained.steps[0].path), f"the network of {config.name}")
        return (Baseline(runtime=baseline.RUNTIME, model="float32", problem=problem),)
    return tuple(one.model_copy(update={"source": _source(one, config)}) for one in found)


def _measured(trained: TrainedModel, outputs: Tensors) -> float:
    """The metric of outputs by a function of model.py."""
    if not isinstance(outputs, Mapping):
        outputs = dict.fromkeys(trained.outputs, outputs)
    return measure_outputs(trained, outputs)


def _source(one: Baseline, config: Config) -> str:
    origin = f"that of {config.name}"
    return f"{one.source} ({origin})" if one.source else origin
