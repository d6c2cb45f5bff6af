"""The report as CSV for spreadsheets and scripts: configurations, steps, baselines, trials."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import TYPE_CHECKING, Any

from gatewright.report.cost_tables import cost_rows, tells_cost
from gatewright.report.deployments import FIGURES as DEPLOYED
from gatewright.report.figures import columns
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Baseline, Step
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatewright.report.prices import Prices
    from gatewright.report.schema import Search, SweepReport


_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(sweep: SweepReport) -> str:
    """A table with a row per configuration and a column per figure.

    The columns are model, config, verification, every figure of `FIGURES`, and <target>.front.
    `verification` is "pass", "fail" or empty. Figures have the names that budgets use, resources
    "<target>.lut"; the cell of an unknown figure is empty. `front` is "yes" or "no", and empty if
    the target has no front. The columns depend only on the targets, so scripts can rely on them.
    Text that a spreadsheet would read as a formula is preceded by an apostrophe.
    """
    table = columns(sweep)
    fronts = {trade.target: trade.front for trade in tradeoffs(sweep)}
    states = {None: "", True: "pass", False: "fail"}
    rows = [
        [
            sweep.model,
            report.config.name,
            states[report.passed],
            *(column.values[row] for column in table),
            *(_yes_or_no(row, fronts.get(target)) for target in sweep.targets),
        ]
        for row, report in enumerate(sweep.reports)
    ]
    names = [column.name for column in table] + [f"{target}.front" for target in sweep.targets]
    return _csv(["model", "config", "verification", *names], rows)


def steps_csv(sweep: SweepReport) -> str:
    """A row per step of each configuration's recipe.

    The columns are model, config, index (from 0), and the fields of `Step`, wall time included.
    The cell of an unknown figure is empty.
    """
    names = list(Step.model_fields)
    rows = [
        [sweep.model, report.config.name, index, *(getattr(step, name) for name in names)]
        for report in sweep.reports
        for index, step in enumerate(report.steps)
    ]
    return _csv(["model", "config", "index", *names], rows)


def baselines_csv(sweep: SweepReport) -> str:
    """A row per software baseline.

    The columns are task_model (the model of the report), the fields of `Baseline`, and throughput.
    """
    names = list(Baseline.model_fields)
    rows = [
        [sweep.model, *(getattr(baseline, name) for name in names), baseline.throughput]
        for baseline in sweep.baselines
    ]
    return _csv(["task_model", *names, "throughput"], rows)


def costs_csv(sweep: SweepReport, prices: Prices | None = None) -> str:
    """A row per configuration and device: what an inference takes, see `report.deployments`.

    The columns are model, config, kind, key, device; of each figure its number, its method and the
    details of that; currency. A cell is empty where a figure is not known.
    """
    about = ["model", "config", "kind", "key", "device"]
    fields = ("value", "method", "details")
    rows = [
        [
            *(row[name] for name in about),
            *(row.get(name, {}).get(field) for name in DEPLOYED for field in fields),
            row.get("currency"),
        ]
        for row in cost_rows(sweep.reports, sweep.baselines, prices)
    ]
    names = [name if f == "value" else f"{name}.{f}" for name in DEPLOYED for f in fields]
    return _csv([*about, *names, "currency"], rows)


def trials_csv(search: Search) -> str:
    """A row per trial of a search, in the order of their numbers.

    The columns are number, config, state, front, reason and error (see `SearchTrial`);
    "point.<path>" for each setting that was varied; and every figure that any trial has, with the
    names that budgets use; "estimated.<figure>" for estimates of what was not measured. The cell of
    an absent or unknown value is empty.
    """
    fields = ["number", "config", "state", "front", "reason", "error"]
    paths = list(dict.fromkeys(path for trial in search.trials for path in trial.point))
    figures = sorted({name for trial in search.trials for name in trial.figures})
    estimates = sorted({name for trial in search.trials for name in trial.estimated})
    rows = [
        [
            trial.number,
            trial.config,
            trial.state,
            "yes" if trial.front else "no",
            trial.reason,
            trial.error,
            *(trial.point.get(path) for path in paths),
            *(trial.figures.get(name) for name in figures),
            *(trial.estimated.get(name) for name in estimates),
        ]
        for trial in search.trials
    ]
    points = [f"point.{path}" for path in paths]
    return _csv([*fields, *points, *figures, *(f"estimated.{name}" for name in estimates)], rows)


def write_csv(sweep: SweepReport, path: Path, prices: Prices | None = None) -> list[Path]:
    """Write the reports as CSV, see `to_csv`.

    Steps, baselines, costs and the trials of a search, if any, go into files beside it: beside
    figures.csv these are figures.steps.csv, figures.baselines.csv, figures.cost.csv and
    figures.trials.csv.

    Returns:
        The files written.

    Raises:
        InputError: if a file can't be written.
    """
    tables = {path: to_csv(sweep)}
    if any(report.steps for report in sweep.reports):
        tables[path.with_suffix(f".steps{path.suffix}")] = steps_csv(sweep)
    if sweep.baselines:
        tables[path.with_suffix(f".baselines{path.suffix}")] = baselines_csv(sweep)
    if tells_cost(sweep.reports, prices):
        tables[path.with_suffix(f".cost{path.suffix}")] = costs_csv(sweep, prices)
    if sweep.search:
        tables[path.with_suffix(f".trials{path.suffix}")] = trials_csv(sweep.search)
    for file, text in tables.items():
        write_text(file, text)
    return list(tables)


def _yes_or_no(row: int, front: frozenset[int] | None) -> str:
    return "" if front is None else "yes" if row in front else "no"


def _csv(header: list[str], rows: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in ([*header], *rows):
        writer.writerow([_text(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def _text(cell: str) -> str:
    """Text that a spreadsheet does not evaluate.

    A spreadsheet evaluates text that begins with one of `_FORMULAS`, which could run a command; an
    apostrophe marks it as text. Cells that are numbers don't come here.
    """
    first = unicodedata.normalize("NFKC", cell.lstrip(" ")[:1])  # full-width signs count as well
    return f"'{cell}" if first in _FORMULAS else cell
