"""The report as CSV, for spreadsheets and scripts: configurations, steps and baselines."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from gatewright.files import write_text
from gatewright.report.figures import columns
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Baseline, Step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatewright.report.schema import SweepReport


def to_csv(sweep: SweepReport) -> str:
    """A row per configuration, every figure a column.

    The columns are model, config, verification, every figure there is, and <target>.front.
    `verification` is "pass", "fail" or empty. Figures go by the names that budgets use, resources
    as "<target>.lut"; a cell is empty where the figure is not known. `front` is "yes" or "no", and
    empty where the target has no front. The columns depend on the targets alone, so that scripts
    can rely on them.
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
    """A row per step of each configuration's recipe: model, config, index from 0, then its fields.

    Wall times are among them. A cell is empty where a figure is not known.
    """
    names = list(Step.model_fields)
    rows = [
        [sweep.model, report.config.name, index, *(getattr(step, name) for name in names)]
        for report in sweep.reports
        for index, step in enumerate(report.steps)
    ]
    return _csv(["model", "config", "index", *names], rows)


def baselines_csv(sweep: SweepReport) -> str:
    """A row per software baseline: model of the report as `task_model`, its fields, throughput."""
    names = list(Baseline.model_fields)
    rows = [
        [sweep.model, *(getattr(baseline, name) for name in names), baseline.throughput]
        for baseline in sweep.baselines
    ]
    return _csv(["task_model", *names, "throughput"], rows)


def write_csv(sweep: SweepReport, path: Path) -> list[Path]:
    """Write the reports as CSV, see `to_csv`.

    Steps and baselines go into files beside it, where there are any: for figures.csv
    figures.steps.csv and figures.baselines.csv.

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
    for file, text in tables.items():
        write_text(file, text)
    return list(tables)


def _yes_or_no(row: int, front: frozenset[int] | None) -> str:
    return "" if front is None else "yes" if row in front else "no"


def _csv(header: list[str], rows: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
