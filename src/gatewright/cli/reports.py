"""The parts of the command `report`: refresh, judge and write reports, and check regressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure, InputError
from gatewright.flow.summary import refresh
from gatewright.report.budget import check_budgets
from gatewright.report.csv import write_csv
from gatewright.report.diff import compare
from gatewright.report.markdown import write_markdown
from gatewright.report.page_data import Judged
from gatewright.report.report_files import load_models, write_json
from gatewright.report.tolerance import regressions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gatewright.report.budget import Budget
    from gatewright.report.prices import Prices
    from gatewright.report.schema import SweepReport
    from gatewright.report.tolerance import Tolerance


def refresh_reports(directories: Sequence[Path]) -> None:
    """Update the reports of converted projects in these directories and one level below."""
    for directory in directories:
        folders = [directory, *sorted(directory.iterdir())] if directory.is_dir() else []
        for folder in folders:
            if (folder / "convert.json").is_file() and (folder / "rtl").is_dir():
                refresh(folder)


def judge(
    found: Sequence[SweepReport],
    budgets: Sequence[Budget],
    against: Path | None,
    prices: Prices | None = None,
) -> list[Judged]:
    """Check the reports of each model against budgets, older reports and prices."""
    old = {sweep.model: sweep for sweep in (load_models([against]) if against else [])}
    if old and not any(sweep.model in old for sweep in found):
        compare(found[0], next(iter(old.values())))  # raises, as the models differ
    return [
        Judged(
            sweep,
            check_budgets(sweep, budgets),
            compare(sweep, old[sweep.model]) if sweep.model in old else None,
            prices,
        )
        for sweep in found
    ]


def check_one_model(models: Sequence[Judged], files: Mapping[str, Path | None]) -> None:
    """Check that no file for one model is requested for several models.

    Args:
        models: the models.
        files: requested file, by option.

    Raises:
        InputError: if there are several models and such a file.
    """
    for option, file in files.items():
        if file is not None and len(models) > 1:
            names = ", ".join(model.sweep.model for model in models)
            raise InputError(f"{option} is for one model, not for {names}; --html takes several")


def write_one_model(
    model: Judged, json_file: Path | None, csv: Path | None, markdown: Path | None
) -> None:
    """Write the requested files for one model."""
    if json_file:
        write_json(model.sweep, json_file)
    if csv:
        write_csv(model.sweep, csv, model.prices)
    if markdown:
        write_markdown(
            model.sweep,
            markdown,
            verdicts=model.verdicts,
            difference=model.difference,
            prices=model.prices,
        )


def gate_regressions(models: Sequence[Judged], tolerances: Sequence[Tolerance]) -> None:
    """Fail if a figure is worse than in the older report by more than is tolerated.

    Raises:
        DesignFailure: names all such figures.
    """
    worse = [
        text
        for model in models
        if model.difference is not None
        for text in regressions(model.difference, tolerances)
    ]
    if worse:
        raise DesignFailure(f"worse than before: {'; '.join(worse)}")
