"""The report on a terminal: tables that fit its width; plain aligned text elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gatewright.report.view import bottlenecks, change_table, methods, notes, split, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, JustifyMethod

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Difference
    from gatewright.report.schema import SweepReport
    from gatewright.report.view import Entry


def render_terminal(
    sweep: SweepReport,
    console: Console,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Difference | None = None,
) -> None:
    """Print the reports of a model as tables.

    What is the same in every configuration stands above the table; figures that no report knows
    are left out. On a terminal a table too wide is continued below; elsewhere lines are as long as
    they need to be and carry neither colour nor frames.

    Args:
        sweep: the reports.
        console: where to.
        verdicts: budgets to show below, missed ones first.
        difference: comparison with older reports to show below.
    """
    entries = summary(sweep)
    shared, varying = split(entries)
    _line(console, Text(sweep.model, "bold"))
    if shared:
        _line(console, Text("  ".join(f"{e.heading} {e.cells[0]}" for e in shared), "dim"))
    _tables(console, varying, [_style(report.passed) for report in sweep.reports])
    for report in sweep.reports:
        if report.verification and report.verification.first_difference:
            found = f"{report.config.name}: first difference: "
            found += str(report.verification.first_difference)
            _line(console, Text(found, "red"))
    for report in sweep.reports:
        for note in notes(report):
            _line(console, Text(f"{report.config.name}: {note}"))
    for config, sentence in bottlenecks(sweep):
        _line(console, Text(f"{config}: {sentence}"))
    for name, origin in methods(sweep, [entry.group for entry in entries]):
        _line(console, Text(f"{name}: {origin}", "dim"))
    for verdict in sorted(verdicts, key=lambda verdict: verdict.ok):
        _line(console, Text(str(verdict), "green" if verdict.ok else "red"))
    if difference is not None:
        _line(console, Text("changes", "bold"))
        if difference.changes:
            styles = [_style(change.better) for change in difference.changes]
            _tables(console, change_table(difference), styles)
        for line in difference.remarks():
            _line(console, Text(line))


def _style(good: bool | None) -> str:
    return "" if good is None else "green" if good else "red"


def _tables(console: Console, entries: Sequence[Entry], styles: Sequence[str]) -> None:
    """Print the columns, in several tables where the terminal is too narrow for one.

    Each table begins with the first column. `styles` colour the judged cell of each row.
    """
    first, *rest = entries
    while rest:
        shown = len(rest)
        while console.is_terminal and shown and _too_wide(console, [first, *rest[:shown]]):
            shown -= 1
        if console.is_terminal and shown:
            console.print(_framed([first, *rest[:shown]], styles))
        else:
            shown = shown or 1  # too wide even so: let the terminal break the lines
            _plain(console, [first, *rest[:shown]])
        rest = rest[shown:]


def _framed(entries: Sequence[Entry], styles: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for entry in entries:
        heading = Text(entry.heading.replace(" (", "\n("))  # the unit below, to keep it narrow
        justify: JustifyMethod = "left" if entry.values is None else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for row, style in enumerate(styles):
        judged = ("verification", "change")
        cells = [Text(e.cells[row], style if e.heading in judged else "") for e in entries]
        table.add_row(*cells)
    return table


def _too_wide(console: Console, entries: Sequence[Entry]) -> bool:
    options = console.options.update(width=100_000)
    table = _framed(entries, [""] * len(entries[0].cells))
    return Measurement.get(console, options, table).maximum > console.width


def _plain(console: Console, entries: Sequence[Entry]) -> None:
    """Aligned columns, two spaces apart, on lines as long as they need to be."""
    columns = [[entry.heading, *entry.cells] for entry in entries]
    for cells in zip(*columns, strict=True):
        line = ""
        for entry, column, cell in zip(entries, columns, cells, strict=True):
            blank = " " * (max(map(cell_len, column)) - cell_len(cell))
            line += (cell + blank if entry.values is None else blank + cell) + "  "
        _line(console, Text(line.rstrip()))


def _line(console: Console, text: Text) -> None:
    """Print a line; where there is no terminal, without breaking it."""
    console.print(text, soft_wrap=not console.is_terminal)
