"""The parts of the command `cost`: measure software, and print the costs of each device."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import require_project
from gatewright.flow.software import measure_software
from gatewright.flow.summary import refresh
from gatewright.report.cost_tables import cost_rows, unused_prices
from gatewright.report.csv import costs_csv
from gatewright.report.report_files import load_models
from gatewright.report.terminal import render_cost
from gatewright.system.console import console, say, show_json
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gatewright.report.prices import Prices
    from gatewright.report.schema import SweepReport


def measure_all(
    directories: Sequence[Path],
    batch: int,
    seconds: float,
    begin: Callable[[Path], Callable[[str], None]],
) -> None:
    """Measure the models of project directories in software, one after the other."""
    for directory in directories:
        measure_software(directory, batch=batch, seconds=seconds, progress=begin(directory))


def report_costs(directories: Sequence[Path]) -> list[SweepReport]:
    """The updated reports of project directories, by model.

    Raises:
        InputError: if one is not a converted project.
    """
    for directory in directories:
        require_project(directory)
        refresh(directory)
    return load_models(directories)


def print_costs(
    sweeps: Sequence[SweepReport], prices: Prices | None, *, csv: Path | None, as_json: bool
) -> None:
    """Print the figures of each device, as tables or as JSON; write them as CSV.

    Raises:
        InputError: if a CSV is requested for several models.
    """
    if csv is not None:
        if len(sweeps) > 1:
            raise InputError(f"--csv is for one model, not for {len(sweeps)}")
        write_text(csv, costs_csv(sweeps[0], prices))
    if as_json:
        rows = [row for one in sweeps for row in cost_rows(one.reports, one.baselines, prices)]
        show_json(json.dumps(rows, indent=1))
    else:
        for sweep in sweeps:
            render_cost(sweep, console(), prices)
    if prices is not None:
        reports = [report for sweep in sweeps for report in sweep.reports]
        for name in unused_prices(reports, prices):
            say(f"prices: the throughput on '{name}' is unknown, so its price is not used")
