"""Software baselines of a configuration's float network on this machine's processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatewright import baseline
from gatewright.errors import InputError
from gatewright.report.schema import Baseline
from gatewright.zoo import obtain

if TYPE_CHECKING:
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
    with np.load(trained.data, allow_pickle=False) as arrays:
        x, y, calibration = arrays["x_test"], arrays["y_test"], arrays["x_train"][:_CALIBRATION]
    try:
        found = baseline.obtain(store, trained.steps[0].path, x, y, calibration)
    except InputError as error:
        problem = str(error).replace(str(trained.steps[0].path), f"the network of {config.name}")
        return (Baseline(runtime=baseline.RUNTIME, model="float32", problem=problem),)
    return tuple(one.model_copy(update={"source": _source(one, config)}) for one in found)


def _source(one: Baseline, config: Config) -> str:
    origin = f"that of {config.name}"
    return f"{one.source} ({origin})" if one.source else origin
