"""The report as CSV: a row per configuration, every figure a column, for spreadsheets, scripts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from gatewright.files import write_text
from gatewright.report.figures import columns

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.report.schema import SweepReport


def to_csv(sweep: SweepReport) -> str:
    """The reports as CSV, with the columns model, config, verification and every figure there is.

    `verification` is "pass", "fail" or empty. Figures go by the names that budgets use, resources
    as "<target>.lut"; a cell is empty where the figure is not known. The columns depend on the
    targets alone, so that scripts can rely on them.
    """
    table = columns(sweep)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "config", "verification", *(column.name for column in table)])
    states = {None: "", True: "pass", False: "fail"}
    for row, report in enumerate(sweep.reports):
        head = [sweep.model, report.config.name, states[report.passed]]
        writer.writerow([*head, *(column.values[row] for column in table)])
    return text.getvalue()


def write_csv(sweep: SweepReport, path: Path) -> None:
    """Write the reports as CSV, see `to_csv`.

    Raises:
        InputError: if the file can't be written.
    """
    write_text(path, to_csv(sweep))
