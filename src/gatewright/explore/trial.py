"""Runs a trial in a worker: training, conversion, synthesis, unless it is stopped early."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.compress.process import keep_processes
from gatewright.compress.recipe import Distil, Finetune, Step, Train, finds_bits, trains_bits
from gatewright.compress.recipe_walk import Stopped
from gatewright.errors import (
    DataError,
    DesignFailure,
    GatewrightError,
    InputError,
    UnsupportedError,
    system_message,
)
from gatewright.explore.early_stopping import dominated, floor
from gatewright.explore.estimate_limits import hopeless
from gatewright.explore.hardware import MAPPED_ONLY, HardwareFlow, Physical
from gatewright.explore.outcome import Limits, Outcome
from gatewright.explore.progress import Note
from gatewright.explore.space import as_written
from gatewright.flow.convert import load_rtl
from gatewright.flow.steps import code_hash, tool_versions
from gatewright.report.figures import FIGURES, find_quantity, quantities
from gatewright.report.report_files import write_report
from gatewright.report.schema import Comparison, Repetition, Report, Timing
from gatewright.store import Store, key_of
from gatewright.system.files import hash_file, replaced_directory
from gatewright.system.versions import versions_of
from gatewright.zoo import Config, Sweep, load_sweep, obtain
from gatewright.zoo.sweep import SWEEP_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.compress.recipe_walk import TrainedModel
    from gatewright.estimate import DesignEstimate
    from gatewright.metrics import Goal

_TRIAL, _PROJECT, _RESULT = "trial", "trial project", "trial result"
_LIBRARIES = ("tensorflow", "tf-keras", "scikit-learn", "sktime")
# Groups of figures for which a verification is needed.
_SIMULATED = {"timing.simulated", "accuracy.rtl", "error.rtl", "verification", "fidelity"}


@dataclass(frozen=True)
class Task:
    """A trial to run, as plain data.

    Attributes:
        sweep: The model's sweep.
        config: The configuration to train and build.
        wanted: Names of the quantities in the search's objectives and constraints.
        limits: The limits that stop the trial early.
        store: The store's folder.
        progress: The file for its note; None for no note.
    """

    sweep: Sweep
    config: Config
    wanted: tuple[str, ...]
    limits: Limits
    store: Path
    progress: Path | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets to synthesize for: the conversion's, and those of wanted figures."""
        named = [find_quantity(name).target for name in self.wanted]
        found = [self.config.options.target, *(name for name in named if name is not None)]
        return tuple(dict.fromkeys(found))

    def content(self) -> dict[str, Any]:
        """Everything that the trial's figures depend on, except its limits."""
        return {
            "model": self.sweep.name,
            "made_of": _made_of(self.sweep, self.config, ()),
            "wanted": sorted(self.wanted),
            "code": code_hash(models=True),
            "tools": tool_versions() | versions_of(_LIBRARIES),
        }

    def limited_content(self) -> dict[str, Any]:
        """Everything that the trial's outcome depends on."""
        return self.content() | {"limits": asdict(self.limits)}


def _made_of(sweep: Sweep, config: Config, before: tuple[Path, ...]) -> dict[str, Any]:
    """What a config's model depends on: its keys, the Python files, and the models it starts from.

    Args:
        sweep: The sweep of the config.
        config: The config.
        before: Models through which the recursion has come, to end it in a cycle.
    """
    origins: dict[str, Any] = {}
    for step in config.recipe:
        teacher = getattr(step, "teacher", None)
        name = getattr(step, "model", None) or getattr(teacher, "model", None)
        if name is None:
            continue
        place = sweep.model_dir / name
        if place.is_file():
            origins[name] = hash_file(place)
        elif (place.parent / SWEEP_FILE).is_file() and place not in before:
            origin = load_sweep(place.parent)
            origins[name] = _made_of(origin, origin.config(place.name), (*before, place))
    return {
        "config": as_written(config),
        "sources": {path.name: hash_file(path) for path in sorted(sweep.model_dir.glob("*.py"))},
        "origins": origins,
    }


def find_outcome(task: Task) -> Outcome | None:
    """The outcome of a trial from the store; None if the store doesn't have it."""
    entry = Store(task.store).find(key_of(_TRIAL, task.limited_content()))
    return Outcome.model_validate(entry.record) if entry is not None else None


def run_trial(task: Task) -> Outcome:
    """Run a trial, or take its outcome from the store.

    The store keeps an outcome that would be the same again. Errors of the trial are in the outcome.

    Raises:
        DataError: if the model's data can't be loaded, which concerns all trials.
    """
    keep_processes()
    note = Note(task.progress)
    try:
        entry = Store(task.store).obtain(
            _TRIAL,
            task.limited_content(),
            lambda _: _attempt(task, note).model_dump(mode="json", exclude_none=True),
        )
    except DataError:
        raise
    except GatewrightError as error:
        return Outcome(state="failed", error=str(error), lasting=False)
    except OSError as error:
        return Outcome(state="failed", error=system_message(error), lasting=False)
    except MemoryError:
        return Outcome(state="failed", error="out of memory", lasting=False)
    finally:
        note.remove()
    return Outcome.model_validate(entry.record)


def find_result(task: Task) -> Report | None:
    """The report of a verified and synthesized trial; None if the store doesn't have it."""
    entry = Store(task.store).find(key_of(_RESULT, task.content()))
    return Report.model_validate(entry.record["report"]) if entry is not None else None


def from_other_seeds(task: Task, seeds: int) -> list[Task]:
    """The same task with the `seeds` - 1 seeds that follow its own."""
    training = task.config.training
    following = range(training.seed + 1, training.seed + seeds)
    trainings = [training.model_copy(update={"seed": seed}) for seed in following]
    return [
        replace(task, config=task.config.model_copy(update={"training": other}))
        for other in trainings
    ]


def with_repetitions(report: Report, others: Sequence[Report]) -> Report:
    """A report with the results of other seeds."""
    return report.model_copy(update={"repetitions": tuple(map(_repetition, others))})


def _repetition(report: Report) -> Repetition:
    seed, score, check = report.training_seed, report.score, report.verification
    if seed is None or score is None or check is None:
        raise InputError(f"{report.config.name}: the report lacks a seed, metric or verification")
    return Repetition(
        seed=seed,
        accuracy=report.accuracy,
        error=report.error,
        verification=Comparison(vectors=check.vectors, mismatches=check.mismatches),
        resources=report.resources,
    )


def finish_trial(task: Task, directory: Path | None) -> Report:
    """Verify a trial of the front on the whole test set, synthesize it, and copy its project.

    Args:
        task: The trial's task; its limits are ignored.
        directory: Receives a copy of the project directory; None for no copy.

    Raises:
        DesignFailure: if the RTL isn't bit-exact.
        GatewrightError: if a step fails.
    """
    keep_processes()
    note = Note(task.progress)
    store = Store(task.store)
    try:
        trained = _train(task, (), note)
        with store.project(_PROJECT, _project_content(task, trained)) as project:
            hardware = HardwareFlow(task.sweep, task.config, trained, project, note.say)
            report = _whole(hardware, task.targets)
            write_report(report, project)
            if directory is not None:
                with replaced_directory(directory) as copy:
                    shutil.copytree(project, copy, dirs_exist_ok=True, symlinks=True)
        record = {"report": report.model_dump(mode="json", exclude_none=True)}
        store.obtain(_RESULT, task.content(), lambda _: record)
    except OSError as error:
        raise InputError(f"{task.config.name}: {system_message(error)}") from error
    finally:
        note.remove()
    return report


def run_config(
    sweep: Sweep, config: Config, folder: Path, store: Path, force: bool, physical: Physical
) -> Report:
    """Run a configuration of a sweep through all steps, in a project directory of its name.

    Args:
        sweep: The sweep.
        config: One of its configurations.
        folder: The folder of the project directories.
        store: The store's folder.
        force: Whether to discard the existing project directory.
        physical: The steps of physical design, for the conversion's target.

    Raises:
        GatewrightError: if a step fails.
    """
    directory = folder / config.name
    try:
        if force:
            shutil.rmtree(directory, ignore_errors=True)
        trained = obtain(sweep, config, store=Store(store))
        hardware = HardwareFlow(sweep, config, trained, directory, lambda _: None)
        report = _whole(hardware, (config.options.target,), physical)
        write_report(report, directory)
    except OSError as error:
        raise InputError(f"{config.name}: {system_message(error)}") from error
    return report


def _whole(
    hardware: HardwareFlow, targets: tuple[str, ...], physical: Physical = MAPPED_ONLY
) -> Report:
    """Run every step of the hardware flow."""
    hardware.convert()
    hardware.size_fifos()
    if physical.rounds:  # first, because it may cut the pipeline again
        hardware.place(targets[0], physical.rounds)
    hardware.verify()
    hardware.synthesize(targets)
    hardware.analyze(targets[0], power=physical.power)
    return hardware.report()


def _attempt(task: Task, note: Note) -> Outcome:
    """Run a trial until it ends or is stopped early.

    Raises:
        GatewrightError: if it fails for a reason that may not recur.
    """
    figures: dict[str, float] = {}
    try:
        return _run_until_stopped(task, note, figures)
    except (UnsupportedError, DesignFailure) as error:
        return Outcome(state="failed", error=str(error), figures=figures)


def _run_until_stopped(task: Task, note: Note, figures: dict[str, float]) -> Outcome:
    expected = {}
    # If a recipe finds bits itself, they depend on training.
    recipe = task.config.recipe
    foreseen = not (any(map(finds_bits, recipe)) or trains_bits(recipe))
    if task.limits.ebops is not None and foreseen:
        note.say("compute cost")
        untrained = _cost(_train(task, (), note, recipe=without_fitting(task.config.recipe)))
        expected = {"ebops": untrained["ebops"]} if "ebops" in untrained else {}
        if expected and expected["ebops"] > task.limits.ebops:
            return Outcome(state="stopped", reason="compute cost", expected=expected)
    try:
        trained = _train(task, floor(task.limits, expected.get("ebops")), note)
    except Stopped as stopped:
        return Outcome(
            state="stopped", reason="training curve", expected=expected, curve=stopped.curve
        )
    figures |= _cost(trained)
    _check_metric(task, trained.metric)
    validation = trained.steps[-1].scores.validation
    if validation is not None:
        figures[f"{trained.metric.kind}_validation"] = validation
    if dominated(task.limits, figures):
        return Outcome(state="stopped", reason="dominated", figures=figures, curve=trained.curve)
    content = _project_content(task, trained)
    with Store(task.store).project(_PROJECT, content) as project:
        hardware = HardwareFlow(task.sweep, task.config, trained, project, note.say)
        outcome = _build_until_stopped(task, hardware, project, figures)
    return outcome.model_copy(update={"curve": trained.curve})


def _check_metric(task: Task, metric: Goal) -> None:
    """Refuse a search that weighs accuracy where the model has an error, or the reverse.

    Raises:
        DataError: if it does, which concerns all trials.
    """
    other = "error" if metric.kind == "accuracy" else "accuracy"
    if any(find_quantity(name).figure.part == other for name in task.wanted):
        raise DataError(
            f"{task.sweep.file}: the search weighs '{other}', but the metric of model.py is "
            f"'{metric.name}', of which {metric.better} is better; write '{metric.kind}'"
        )


def _build_until_stopped(
    task: Task, hardware: HardwareFlow, project: Path, figures: dict[str, float]
) -> Outcome:
    hardware.convert()
    rtl = load_rtl(project)
    figures["clock"] = rtl.clock_ns
    if rtl.latency is not None:
        figures["latency_predicted"] = rtl.latency
    if rtl.interval is not None:
        figures["ii_predicted"] = rtl.interval
    if dominated(task.limits, figures):
        return Outcome(state="stopped", reason="dominated", figures=figures)
    hardware.size_fifos()
    expected = {}
    if task.limits.estimate is not None and (found := hardware.estimate()) is not None:
        early = _estimated(found, figures)
        expected = early.expected
        known = figures.keys() | expected.keys()
        # The sampler needs a value of every figure.
        if known >= set(task.wanted) and hopeless(task.limits.estimate, early):
            return early
    groups = {find_quantity(name).figure.group for name in task.wanted}
    if groups & _SIMULATED:
        hardware.verify()
    if any(find_quantity(name).figure.per_target for name in task.wanted):
        hardware.synthesize(task.targets)
    figures |= _figures(hardware.report(), task)
    if missing := [name for name in task.wanted if name not in figures]:
        raise UnsupportedError(f"{missing[0]}: this configuration doesn't have this figure")
    return Outcome(state="done", figures=figures, expected=expected)


def _estimated(found: DesignEstimate, figures: dict[str, float]) -> Outcome:
    """The outcome of a trial that is stopped by its estimate.

    Args:
        found: The estimate for the conversion's target, whose figures also have names without it.
        figures: Figures that are known.
    """
    timing = Timing(clock_ns=found.clock_ns, latency_max=found.latency, ii=found.interval)
    scheduled = {
        figure.name: getattr(timing, figure.field)
        for figure in FIGURES.values()
        if figure.part == "timing" and figure.name not in figures
    }
    expected = {name: value for name, value in scheduled.items() if value is not None}
    errors: dict[str, float] = {}
    for prefix in ("", f"{found.target}."):
        expected |= {f"{prefix}{name}": value for name, value in asdict(found.total).items()}
        errors |= {f"{prefix}{name}": value for name, value in found.errors.items()}
    return Outcome(
        state="stopped", reason="estimate", figures=figures, expected=expected, errors=errors
    )


def _train(
    task: Task, least: tuple[float, ...], note: Note, recipe: tuple[Step, ...] | None = None
) -> TrainedModel:
    config = task.config if recipe is None else task.config.model_copy(update={"recipe": recipe})
    return obtain(task.sweep, config, store=Store(task.store), floor=least, progress=note.count)


def without_fitting(recipe: tuple[Step, ...]) -> tuple[Step, ...]:
    """A short recipe whose model has about the same compute cost as the recipe's own.

    Its steps prune and quantize, but don't fit. Only the float model is trained for one epoch, so
    that its weights have realistic magnitudes.
    """
    first = Train(epochs=1) if isinstance(recipe[0], Train | Distil) else recipe[0]
    kept = [first, *(step for step in recipe[1:] if not isinstance(step, Distil | Finetune))]
    return tuple(
        step.model_copy(update={"epochs": 0})
        if "epochs" in type(step).model_fields and not isinstance(step, Train)
        else step
        for step in kept
    )


def _cost(trained: TrainedModel) -> dict[str, float]:
    """The figures of a model's compute cost; empty if it isn't known."""
    cost = trained.steps[-1].cost
    if cost is None:
        return {}
    return {
        "macs": cost.macs,
        "bops": cost.bops,
        "ebops": cost.ebops,
        "parameters": cost.parameters,
        "weight_bits": cost.weight_bits,
    }


def _project_content(task: Task, trained: TrainedModel) -> Mapping[str, Any]:
    return {"model": trained.key, "name": task.sweep.name, "options": asdict(task.config.options)}


def _figures(report: Report, task: Task) -> dict[str, float]:
    """All figures of a report. Those of the conversion's target also have names without target."""
    found = {}
    for quantity in quantities(report.per_target):
        value = quantity.of(report)
        if value is not None:
            found[quantity.name] = float(value)
            if quantity.target == task.config.options.target:
                found[quantity.figure.name] = float(value)
    return found
