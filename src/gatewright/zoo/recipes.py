"""Trains the models of the zoo by the recipes of their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.compress.recipe import Distil, Transfer
from gatewright.compress.recipe_walk import Source, TrainedModel
from gatewright.compress.recipe_walk import obtain as walk
from gatewright.errors import InputError
from gatewright.frontend.environments import ENVIRONMENTS, Environment
from gatewright.zoo.sweep import SWEEP_FILE, Config, Sweep, load_sweep

if TYPE_CHECKING:
    from gatewright.compress.process import Progress
    from gatewright.store import Store


def obtain(
    sweep: Sweep,
    config: Config,
    *,
    store: Store | None = None,
    floor: Sequence[float] = (),
    progress: Progress | None = None,
) -> TrainedModel:
    """Make the model of a config by its recipe, or find its steps in the store.

    The model's Python files run as code. See `gatewright.compress.recipe_walk.obtain` for the rest.

    Args:
        sweep: The sweep of the model.
        config: One of `sweep.configs`, or one made by `sweep.make_config`.
        store: By default that in the user's cache directory.
        floor: Least validation accuracy after each epoch of the recipe, 0 to 1.
        progress: Called with a step's name, the number of finished epochs and that of all epochs.

    Raises:
        InputError: if the recipe names a model that does not exist, a library is missing, or a step
            fails.
        Stopped: if an epoch's accuracy is below the floor.
    """
    return _obtain(sweep, config, store, floor, progress, ())


def missing_front_end(config: Config) -> Environment | None:
    """The first environment that a config's training lacks; None if it lacks none."""
    names = [step.environment for step in config.recipe]
    needed = (ENVIRONMENTS[name] for name in names if name is not None)
    return next((each for each in needed if each.python is None), None)


def _obtain(
    sweep: Sweep,
    config: Config,
    store: Store | None,
    floor: Sequence[float],
    progress: Progress | None,
    wanted_by: tuple[tuple[Path, str], ...],
) -> TrainedModel:
    """See `obtain`; `wanted_by` are the configs whose recipes need this model, to find cycles."""
    here = (sweep.model_dir, config.name)
    if here in wanted_by:
        raise InputError(f"{sweep.file}: config '{config.name}': its recipe starts from itself")
    models = {}
    for name in _models(config):
        if not (sweep.model_dir / name).is_file():
            origin, of_origin = _find_config(sweep, config, name)
            made = _obtain(origin, of_origin, store, (), progress, (*wanted_by, here))
            models[name] = made.path
    return walk(
        Source(sweep.model_dir, config.architecture, config.data, config.input_precision),
        config.recipe,
        config.training,
        bits=config.bits,
        relu_integer=config.relu_integer,
        store=store,
        floor=floor,
        models=models,
        progress=progress,
    )


def _models(config: Config) -> list[str]:
    """The models that a config's recipe starts from or learns from."""
    found = []
    for step in config.recipe:
        if isinstance(step, Transfer):
            found.append(step.model)
        elif isinstance(step, Distil) and step.teacher is not None and step.teacher.model:
            found.append(step.teacher.model)
    return found


def _find_config(sweep: Sweep, config: Config, name: str) -> tuple[Sweep, Config]:
    """The config that FOLDER/CONFIG names, relative to the sweep's directory."""
    place = sweep.model_dir / name
    if not (place.parent / SWEEP_FILE).is_file():
        raise InputError(
            f"{sweep.file}: config '{config.name}': '{name}' is neither a model file nor "
            f"FOLDER/CONFIG, a configuration of the zoo"
        )
    origin = load_sweep(place.parent)
    return origin, origin.config(place.name)
