"""Runs the configurations of a zoo model's sweep, or a search over its space, and reports."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import time
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gatewright.errors import (
    DataError,
    DesignFailure,
    GatewrightError,
    InputError,
    MissingToolError,
    Skipped,
)
from gatewright.explore.estimate_limits import hopeful
from gatewright.explore.hardware import MAPPED_ONLY, Physical
from gatewright.explore.outcome import Limits, Outcome, front, trial_name, violations
from gatewright.explore.progress import Watch, notes_folder
from gatewright.explore.sampler import make_sampler
from gatewright.explore.search import outcome_of, run_trials
from gatewright.explore.software_baseline import software_baselines
from gatewright.explore.space import load_search
from gatewright.explore.trial import (
    Task,
    find_outcome,
    find_result,
    finish_trial,
    from_other_seeds,
    run_config,
    run_trial,
    with_repetitions,
)
from gatewright.report import schema
from gatewright.report.budget import parse_budget
from gatewright.report.figures import find_quantity
from gatewright.report.html import write_html
from gatewright.report.markdown import write_markdown
from gatewright.report.page_data import Judged
from gatewright.report.report_files import REPORT, load_reports, write_json, write_report
from gatewright.report.sentences import verdict
from gatewright.store import Store
from gatewright.system.cache import cache_dir
from gatewright.system.files import check_folder, write_text
from gatewright.zoo import load_sweep, missing_front_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from gatewright.explore.engine import Engine, Result
    from gatewright.explore.outcome import Trial
    from gatewright.explore.space import Plan, Point
    from gatewright.zoo import Config, Sweep

TRIALS = "trials.json"
"""File name of all trials of a search, beside the report of its front."""

_SAMPLERS = {
    "tpe": "TPESampler",
    "nsga2": "NSGAIISampler",
    "random": "RandomSampler",
    "grid": "grid",
    "list": "list",
}


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep: its reports, the page, and the errors of failed configurations."""

    reports: schema.SweepReport
    page: Path
    failures: tuple[str, ...]


@dataclass(frozen=True)
class SearchResult:
    """The result of a search: the reports of its front, the page, and all trials."""

    reports: schema.SweepReport
    page: Path
    trials: tuple[Trial, ...]


def default_store() -> Path:
    """The store in the user's cache directory."""
    return cache_dir() / "store"


def run_sweep(
    model: Path,
    names: Sequence[str],
    output: Path,
    *,
    make_engine: Callable[[], Engine],
    force: bool = False,
    baselines: bool = True,
    publish: Path | None = None,
    target: str | None = None,
    clock_ns: float | None = None,
    physical: Physical = MAPPED_ONLY,
    say: Callable[[str], None],
) -> SweepResult:
    """Train, convert, verify and synthesize configurations of a model, and report on them.

    Args:
        model: A model folder of the zoo, or a sweep file.
        names: Configurations to run; all if empty.
        output: Build directory. Each `<output>/<model>/<config>` is a project directory;
            `<output>/<model>/report` gets the page and `report.json`.
        make_engine: Makes the engine that runs the configurations.
        force: Whether to discard the project directories of earlier runs.
        baselines: Whether to measure the first configuration's network in software too.
        publish: Folder for `report.json` (without wall times) and `README.md`.
        target: Another target than the sweep's, see `Sweep.retargeted`.
        clock_ns: Another clock period than the sweep's.
        physical: Steps of physical design, for the target of each configuration.
        say: Called with lines of progress.

    Returns:
        The reports of the configurations that didn't fail.

    Raises:
        InputError: if the sweep or a name is wrong, or a configuration that is named needs a front
            end that isn't installed.
        Skipped: if all configurations of the sweep need one.
        DataError: if the model's data can't be loaded.
        GatewrightError: if all configurations fail.
    """
    sweep = load_sweep(model).retargeted(target, clock_ns)
    for place in filter(None, (output, publish)):
        check_folder(place)
    wanted = [sweep.config(name) for name in names] if names else list(sweep.configs)
    configs = _trainable(sweep, wanted, named=bool(names), say=say)
    for config in configs:
        physical.check(config.options.target)
    folder = output / sweep.name
    start = time.monotonic()
    reports: dict[str, schema.Report] = {}
    failures: list[GatewrightError] = []
    engine = make_engine()
    try:
        running = {
            engine.submit(
                run_config, sweep, config, folder, default_store(), force, physical
            ): config.name
            for config in configs
        }
        for done, future in enumerate(as_completed(running), 1):
            name = running[future]
            elapsed = time.monotonic() - start
            prefix = f"[{done}/{len(configs)}] {elapsed:4.0f} s  {sweep.name} {name}: "
            try:
                reports[name] = future.result()
                say(prefix + _headline(reports[name]))
            except GatewrightError as error:
                if isinstance(error, DataError) and not reports:
                    raise
                failures.append(error)
                say(f"{prefix}failed: {error}")
    finally:
        engine.close()
    if not reports:
        raise failures[0]
    held = [config for config in configs if config.name in reports]
    software: tuple[schema.Baseline, ...] = ()
    if baselines:
        say(f"{sweep.name}: software baselines on this machine's processor")
        software = software_baselines(sweep, held[0], Store(default_store()))
    found = schema.SweepReport(
        reports=tuple(reports[config.name] for config in held), baselines=software
    )
    write_json(found, folder / "report" / REPORT)
    page = folder / "report" / "index.html"
    write_html([Judged(found)], page)
    if publish is not None:
        _publish(found, publish)
    return SweepResult(found, page, tuple(str(error) for error in failures))


def _trainable(
    sweep: Sweep, configs: Sequence[Config], *, named: bool, say: Callable[[str], None]
) -> list[Config]:
    """The configurations whose front ends are installed; a line says which others are left out.

    Raises:
        MissingToolError: if one is not, and the configurations were named by the user.
        Skipped: if none is.
    """
    lacking = {config.name: missing_front_end(config) for config in configs}
    left_out = {name: found for name, found in lacking.items() if found is not None}
    if not left_out:
        return list(configs)
    names, needed = ", ".join(left_out), next(iter(left_out.values())).needed
    if named:
        raise MissingToolError(f"{sweep.name}: to train {names}, {needed}")
    if len(left_out) == len(configs):
        raise Skipped(f"{sweep.name}: skipped: to train it, {needed}")
    say(f"{sweep.name}: {names} skipped: to train them, {needed}")
    return [config for config in configs if config.name not in left_out]


def _publish(found: schema.SweepReport, folder: Path) -> None:
    """Write reports for a repository: without wall times, which change with every run."""
    write_json(found, folder / REPORT, wall_times=False)
    write_markdown(found, folder / "README.md")


def run_search(
    model: Path,
    output: Path,
    *,
    make_engine: Callable[[], Engine],
    store: Path,
    trials: int | None = None,
    baselines: bool = True,
    publish: Path | None = None,
) -> SearchResult:
    """Search the space of a sweep file, and report on the front. A repeated run continues.

    Args:
        model: A model folder of the zoo, or a sweep file with a section `search`.
        output: Build directory. `<output>/<model>/explore` gets the front's project directories,
            its reports and `trials.json`.
        make_engine: Makes the engine that runs the trials; not called if the store has all trials.
        store: Folder of the store.
        trials: Number of trials; None for the file's.
        baselines: Whether to measure the network of the front's first trial in software too.
        publish: Folder for `report.json` (without wall times) and `README.md`.

    Returns:
        The reports of the front, verified on the whole test set and synthesized; and all trials.

    Raises:
        InputError: if the file or the store is wrong, or the disk is full.
        Skipped: if the trials need a front end that isn't installed.
        DataError: if the model's data can't be loaded.
        DesignFailure: if no trial meets the constraints.
    """
    plan = load_search(model, trials)
    _trainable(plan.sweep, [plan.config("base", {})], named=False, say=lambda _: None)
    for place in filter(None, (output, publish, store)):
        check_folder(place)
    folder = output.resolve() / plan.sweep.name / "explore"
    engine = _LazyEngine(make_engine)
    try:
        with (
            notes_folder(store) as notes,
            Watch(plan.search, plan.sweep.name, notes) as watch,
        ):
            running = _Run(plan, engine, store.resolve(), folder, watch)
            done = running.run()
            reports = running.finish(done)
            software: tuple[schema.Baseline, ...] = ()
            if baselines:
                watch.say("software baselines on this machine's processor")
                config = running.config(reports[0])
                software = software_baselines(plan.sweep, config, Store(store))
    finally:
        engine.close()
    found = schema.SweepReport(reports=reports, baselines=software, search=_summary(plan, done))
    page = folder / "report" / "index.html"
    write_html([Judged(found)], page)
    write_json(found, folder / REPORT)
    write_markdown(found, folder / "README.md")
    if publish is not None:
        _publish(found, publish)
    return SearchResult(found, page, tuple(done))


class _LazyEngine:
    """An engine that is made with its first task: a repeated search may have none."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        if self._engine is None:
            self._engine = self._make()
        return self._engine.submit(function, *arguments)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


class _Run:
    """A running search."""

    def __init__(
        self, plan: Plan, engine: _LazyEngine, store: Path, folder: Path, watch: Watch
    ) -> None:
        self._plan, self._engine, self._store = plan, engine, store
        self._folder, self._watch = folder, watch
        self._tasks: dict[int, Task] = {}

    def run(self) -> list[Trial]:
        """Run all trials, and return them in the order of their numbers."""
        search = self._plan.search
        return run_trials(search, make_sampler(search), self._start, self._ended)

    def finish(self, trials: list[Trial]) -> tuple[schema.Report, ...]:
        """Verify and synthesize the front, with every seed, and return its reports.

        A trial that isn't bit-exact fails, and the trials that it dominated may join the front.
        Trials that were stopped by their estimate and may join it are synthesized first.

        Args:
            trials: All trials; the outcomes of those that fail or are synthesized change.

        Raises:
            DesignFailure: if no trial meets the constraints.
        """
        reports = self._finish(trials)
        self._write_trials(trials)
        if not reports:
            raise DesignFailure(_nothing_found(self._plan, trials))
        names = {report.config.name for report in reports}
        for directory in self._folder.iterdir():  # left by an earlier search
            if re.fullmatch(r"trial\d+", directory.name) and directory.name not in names:
                shutil.rmtree(directory)
        return reports

    def config(self, report: schema.Report) -> Config:
        """The configuration of a report of the front."""
        configs = (task.config for task in self._tasks.values())
        return next(config for config in configs if config.name == report.config.name)

    def _start(self, number: int, point: Point, limits: Limits) -> Future[Outcome]:
        try:
            task = self._task(number, point, limits)
        except InputError as error:
            future: Future[Outcome] = Future()
            future.set_result(Outcome(state="failed", error=str(error)))
            return future
        self._tasks[number] = task
        return self._run_task(task)

    def _run_task(self, task: Task) -> Future[Outcome]:
        """Start a trial, or take its outcome from the store."""
        known = find_outcome(task)
        if known is not None:
            future: Future[Outcome] = Future()
            future.set_result(known)
            return future
        note = self._watch.note(task.config.name)
        return self._engine.submit(run_trial, replace(task, progress=note))

    def _task(self, number: int, point: Point, limits: Limits) -> Task:
        search = self._plan.search
        limited = (parse_budget(text).quantity.name for text in search.constraints)
        return Task(
            self._plan.sweep,
            self._plan.config(trial_name(number), point),
            tuple(dict.fromkeys((*search.objectives, *limited))),
            limits,
            self._store,
        )

    def _ended(self, told: list[Trial]) -> None:
        self._watch.ended(told)
        self._refuse_full_disk(told[-1].outcome.error)

    def _refuse_full_disk(self, error: str | None) -> None:
        """End the search if the disk is full: all later trials would fail too."""
        causes = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
        if error is not None and any(cause in error for cause in causes):
            raise InputError(
                f"{error}; make room for {self._store} and run the same command again to go on"
            )

    def _finish(self, trials: list[Trial]) -> tuple[schema.Report, ...]:
        search = self._plan.search
        reports: dict[int, schema.Report] = {}
        while True:
            self._synthesize_hopeful(trials)
            missing = [t for t in front(search, trials) if t.number not in reports]
            if not missing:
                return tuple(reports[trial.number] for trial in front(search, trials))
            running = {trial.number: self._finish_one(trial) for trial in missing}
            done, total = 0, len(missing) * search.seeds
            self._watch.finished(done, total)
            for number, futures in running.items():
                made = []
                try:
                    for future in futures:
                        made.append(future.result())
                        done += 1
                        self._watch.finished(done, total)
                    reports[number] = with_repetitions(made[0], made[1:])
                    write_report(reports[number], self._folder / trials[number].name)
                except GatewrightError as error:
                    self._refuse_full_disk(str(error))
                    failed = Outcome(state="failed", error=str(error), lasting=False)
                    trials[number] = replace(trials[number], outcome=failed)
                    self._watch.say(f"trial {number}: failed: {error}")

    def _synthesize_hopeful(self, trials: list[Trial]) -> None:
        """Synthesize trials that were stopped by their estimate, while any may join the front."""
        while found := hopeful(self._plan.search, trials):
            running = [
                self._run_task(replace(self._tasks[trial.number], limits=Limits()))
                for trial in found
            ]
            for trial, future in zip(found, running, strict=True):
                outcome = outcome_of(future)
                self._refuse_full_disk(outcome.error)
                trials[trial.number] = replace(trial, outcome=outcome)
                self._watch.synthesized(trials[trial.number])

    def _finish_one(self, trial: Trial) -> list[Future[schema.Report]]:
        """Start to finish a trial of the front, and the same with other seeds."""
        task = self._tasks[trial.number]
        directory = self._folder / trial.name
        tasks: list[tuple[Task, Path | None, str]] = [(task, directory, trial.name)]
        others = from_other_seeds(task, self._plan.search.seeds)
        tasks += [(one, None, f"{trial.name} seed {one.config.training.seed}") for one in others]
        return [self._finish_task(*task) for task in tasks]

    def _finish_task(self, task: Task, directory: Path | None, name: str) -> Future[schema.Report]:
        known = find_result(task)
        if known is not None and (directory is None or _has_project_of(directory, known)):
            future: Future[schema.Report] = Future()
            future.set_result(known)
            return future
        note = self._watch.note(name)
        return self._engine.submit(finish_trial, replace(task, progress=note), directory)

    def _write_trials(self, trials: Sequence[Trial]) -> None:
        best = {trial.number for trial in front(self._plan.search, trials)}
        rows = [
            {
                "number": trial.number,
                "point": trial.point,
                **trial.outcome.model_dump(mode="json", exclude_none=True, exclude={"lasting"}),
                "front": trial.number in best,
            }
            for trial in trials
        ]
        write_text(self._folder / TRIALS, json.dumps(rows, indent=1) + "\n")


def _has_project_of(directory: Path, report: schema.Report) -> bool:
    """Whether a directory holds the project of a report."""
    try:
        (there,) = load_reports([directory / REPORT]).reports
    except InputError:
        return False
    return there.model_copy(update={"repetitions": ()}) == report


def _nothing_found(plan: Plan, trials: Sequence[Trial]) -> str:
    """Why there is no front, in one line."""
    search, where = plan.search, plan.sweep.file
    done = [trial for trial in trials if trial.outcome.state == "done"]
    if not done:
        reasons = [t.outcome.error or f"stopped early: {t.outcome.reason}" for t in trials]
        return f"{where}: none of {len(trials)} trials has a result; the first: {reasons[0]}"
    missed = {
        trial.number: max(violations(search, trial.outcome.figures).values()) for trial in done
    }
    nearest = min(done, key=lambda trial: (missed[trial.number], trial.number))
    found = ", ".join(
        f"{name} {nearest.outcome.figures[name]:.6g}"
        for name in dict.fromkeys(parse_budget(text).quantity.name for text in search.constraints)
    )
    return (
        f"{where}: none of {len(trials)} trials meets {', '.join(search.constraints)}; "
        f"the nearest, trial {nearest.number}, has {found}"
    )


def _summary(plan: Plan, trials: Sequence[Trial]) -> schema.Search:
    search = plan.search
    drawn = search.sampler not in ("grid", "list")
    limited = (parse_budget(text).quantity.name for text in search.constraints)
    weighed = {*search.objectives, *limited}
    best = {trial.number for trial in front(search, trials)}
    return schema.Search(
        sampler=_SAMPLERS[search.sampler],
        tool="Optuna" if drawn else None,
        version=metadata.version("optuna") if drawn else None,
        seed=search.seed if drawn else None,
        trials=tuple(
            schema.SearchTrial(
                number=trial.number,
                config=trial.name,
                state=trial.outcome.state,
                point={path: _written(value) for path, value in trial.point.items()},
                figures=_listed(trial.outcome.figures, weighed),
                estimated=_listed(
                    trial.outcome.expected if trial.outcome.reason == "estimate" else {}, weighed
                ),
                reason=trial.outcome.reason,
                error=trial.outcome.error,
                front=trial.number in best,
            )
            for trial in trials
        ),
        objectives=search.objectives,
        constraints=search.constraints,
    )


def _listed(figures: Mapping[str, float], weighed: Set[str]) -> dict[str, float]:
    """Figures for a report; a resource without a target only if it is weighed."""
    return {
        name: value
        for name, value in figures.items()
        if name in weighed or not find_quantity(name).anywhere
    }


def _written(value: Any) -> str:
    """A value in the notation of a sweep file, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def _headline(report: schema.Report) -> str:
    parts = [verdict(report)] if report.verification else []
    if report.accuracy and report.accuracy.rtl is not None:
        parts.append(f"accuracy {report.accuracy.rtl:.3f}")
    if report.error and report.error.rtl is not None:
        parts.append(f"error {report.error.rtl:.4g}")
    for target, used in report.resources.items():
        for count, unit in ((used.lut, "LUT"), (used.nand2, "NAND2")):
            if count is not None:
                parts.append(f"{count:,.0f} {unit} on {target}")
    return ", ".join(parts)
