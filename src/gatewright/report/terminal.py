"""The report on a terminal: tables that fit its width; elsewhere plain aligned text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gatewright.report.cost_tables import METHOD as COST_METHOD
from gatewright.report.cost_tables import cost_methods, cost_table, tells_cost
from gatewright.report.pareto import tradeoffs
from gatewright.report.pruning import NO_TWIN, pruning_table, unmatched
from gatewright.report.recipe_tables import step_table
from gatewright.report.search_tables import failure_table, search_facts
from gatewright.report.seeds import METHOD as SEED_METHOD
from gatewright.report.seeds import seed_table
from gatewright.report.sentences import difference_text
from gatewright.report.software_tables import (
    METHOD,
    baseline_methods,
    baseline_table,
    gain_table,
    problems,
)
from gatewright.report.text_tables import cut
from gatewright.report.view import (
    bottlenecks,
    change_table,
    fidelities,
    methods,
    notes,
    split,
    summary,
    vendor_table,
)
from gatewright.system.console import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, JustifyMethod

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.prices import Prices
    from gatewright.report.schema import Report, SweepReport
    from gatewright.report.text_tables import Entry


def render_terminal(
    sweep: SweepReport,
    console: Console,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
    prices: Prices | None = None,
) -> None:
    """Print the reports of a model as tables.

    Values common to all configurations are printed above the table. Figures that no report has are
    left out. On a terminal a table that is too wide is split into several; elsewhere lines are not
    broken, and there are no colours or frames.

    Args:
        sweep: the reports.
        console: where to print.
        verdicts: budgets to show below, missed ones first.
        difference: comparison with older reports to show below.
        prices: by which costs are told.
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
            found += difference_text(report.verification.first_difference)
            _line(console, Text(found, "red"))
    for config, sentence, warns in fidelities(sweep):
        _line(console, Text(f"{config}: {sentence}", "yellow" if warns else ""))
    for report in sweep.reports:
        for note in notes(report):
            _line(console, Text(f"{report.config.name}: {note}"))
    for config, sentence in bottlenecks(sweep):
        _line(console, Text(f"{config}: {sentence}"))
    steps = _told(sweep)
    groups = [entry.group for entry in entries]
    groups += ["steps.accuracy", "steps.compute"] if steps else []
    groups += [f"vendor.{name}" for name in sweep.per_target["vendor"]]
    for name, origin in methods(sweep, groups):
        _line(console, Text(f"{name}: {origin}", "dim"))
    for tradeoff in tradeoffs(sweep):
        where = f" on {tradeoff.target}" if len(sweep.targets) > 1 else ""
        _line(console, Text(f"front{where}: {tradeoff.explain(sweep.search)}", "dim"))
    if vendor := vendor_table(sweep.reports):
        _line(console, Text("reports of vendor tools", "bold"))
        _tables(console, vendor, [""] * len(vendor[0].cells))
    _search(console, sweep)
    if seeds := seed_table(sweep):
        _line(console, Text("other seeds", "bold"))
        _tables(console, seeds, [""] * len(seeds[0].cells))
        _line(console, Text(SEED_METHOD, "dim"))
    _steps(console, sweep, steps)
    _pruning(console, sweep)
    _software(console, sweep)
    if tells_cost(sweep.reports, prices):
        render_cost(sweep, console, prices)
    for verdict in sorted(verdicts, key=lambda verdict: verdict.ok):
        _line(console, Text(str(verdict), "green" if verdict.ok else "red"))
    if difference is not None:
        _line(console, Text("changes", "bold"))
        if difference.changes:
            styles = [_style(change.better) for change in difference.changes]
            _tables(console, change_table(difference), styles)
        for line in difference.remarks():
            _line(console, Text(line))


_MOST = 8
"""Most configurations with steps, and most failed trials, that are listed; pages list all."""

_LONGEST = 60
"""Most characters of a step's settings that are shown."""


def _told(sweep: SweepReport) -> list[Report]:
    """The reports whose steps are listed: all, or those on a front if there are many."""
    return _few(sweep, [report for report in sweep.reports if report.steps])


def _few(sweep: SweepReport, held: Sequence[Report]) -> list[Report]:
    """These reports of a sweep; if there are many, those on a front."""
    if len(held) <= _MOST:
        return list(held)
    front = {row for tradeoff in tradeoffs(sweep) for row in tradeoff.front}
    chosen = [sweep.reports[row] for row in sorted(front)]
    return [report for report in chosen if report in held]


def _search(console: Console, sweep: SweepReport) -> None:
    if sweep.search is None:
        return
    _line(console, Text("search", "bold"))
    for name, text in search_facts(sweep.search):
        _line(console, Text(f"{name}: {text}"))
    if failures := failure_table(sweep.search):
        shown = min(_MOST, len(sweep.search.failed))
        _tables(console, failures, [""] * shown)
        if rest := len(sweep.search.failed) - shown:
            _line(console, Text(f"{rest} more failed; the page and the JSON name them"))


def _steps(console: Console, sweep: SweepReport, told: Sequence[Report]) -> None:
    if told:
        _line(console, Text("steps", "bold"))
        if len(told) == 1:
            _line(console, Text(told[0].config.name))
        table = [_cut(entry) for entry in step_table(told)]
        _tables(console, table, [""] * len(table[0].cells))
    rest = sum(bool(report.steps) for report in sweep.reports) - len(told)
    if rest:
        _line(console, Text(f"steps of {rest} configurations off the front are on the page"))


def _cut(entry: Entry) -> Entry:
    """A column with long texts shortened; other views show them in full."""
    return replace(entry, cells=tuple(cut(cell, _LONGEST) for cell in entry.cells))


def _pruning(console: Console, sweep: SweepReport) -> None:
    table, alone = pruning_table(sweep), unmatched(sweep)
    if table or alone:
        _line(console, Text("pruning", "bold"))
    if table:
        verdicts = next((entry.cells for entry in table if entry.heading == "verdict"), ())
        good = {"saves": True, "saves nothing": False}
        styles = [_style(good.get(verdict)) for verdict in verdicts]
        _tables(console, [_cut(entry) for entry in table], styles or [""] * len(table[0].cells))
    if alone:
        _line(console, Text(f"{NO_TWIN}: {', '.join(alone)}"))


def _software(console: Console, sweep: SweepReport) -> None:
    if not sweep.baselines:
        return
    _line(console, Text("software", "bold"))
    for table in (baseline_table(sweep), gain_table(sweep)):
        if table:
            _tables(console, table, [""] * len(table[0].cells))
    if gain_table(sweep):
        _line(console, Text(METHOD, "dim"))
    for problem in problems(sweep):
        _line(console, Text(problem))
    for name, text in baseline_methods(sweep):
        _line(console, Text(f"{name}: {text}", "dim"))


def render_cost(sweep: SweepReport, console: Console, prices: Prices | None = None) -> None:
    """Print what an inference takes on each device, of many configurations those on a front."""
    told = _few(sweep, sweep.reports)
    _line(console, Text("cost", "bold"))
    if table := cost_table(told, sweep.baselines, prices):
        _tables(console, table, [""] * len(table[0].cells))
        _line(console, Text(COST_METHOD, "dim"))
    for name, text in cost_methods(told, sweep.baselines, prices):
        _line(console, Text(f"{name}: {text}", "dim"))
    runs = [run for report in told if report.software for run in report.software.runs]
    for text in dict.fromkeys(f"{run.runtime}: {run.problem}" for run in runs if run.problem):
        _line(console, Text(text))
    if rest := len(sweep.reports) - len(told):
        _line(console, Text(f"{rest} configurations off the front are on the page"))


def _style(good: bool | None) -> str:
    return "" if good is None else "green" if good else "red"


def _tables(console: Console, entries: Sequence[Entry], styles: Sequence[str]) -> None:
    """Print the columns, in several tables if the terminal is too narrow for one.

    Each table begins with the first column. `styles` has the colour of the verdict of each row;
    its length is the number of rows to print.
    """
    first, *rest = entries
    while rest:
        shown = len(rest)
        while console.is_terminal and shown and _too_wide(console, [first, *rest[:shown]]):
            shown -= 1
        if console.is_terminal and shown:
            console.print(_framed([first, *rest[:shown]], styles))
        else:
            shown = shown or 1  # a single column is too wide: let the terminal break the lines
            _plain(console, [first, *rest[:shown]], len(styles))
        rest = rest[shown:]


def _framed(entries: Sequence[Entry], styles: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for entry in entries:
        # The unit goes to the next line, to keep the column narrow.
        heading = Text(plain(entry.heading).replace(" (", "\n("))
        justify: JustifyMethod = "left" if entry.values is None else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for row, style in enumerate(styles):
        judged = ("verification", "change", "verdict")
        cells = [Text(plain(e.cells[row]), style if e.heading in judged else "") for e in entries]
        table.add_row(*cells)
    return table


def _too_wide(console: Console, entries: Sequence[Entry]) -> bool:
    options = console.options.update(width=100_000)
    table = _framed(entries, [""] * len(entries[0].cells))
    return Measurement.get(console, options, table).maximum > console.width


def _plain(console: Console, entries: Sequence[Entry], rows: int) -> None:
    """Print aligned columns, two spaces apart, without breaking lines."""
    columns = [list(map(plain, (entry.heading, *entry.cells[:rows]))) for entry in entries]
    for cells in zip(*columns, strict=True):
        line = ""
        for entry, column, cell in zip(entries, columns, cells, strict=True):
            blank = " " * (max(map(cell_len, column)) - cell_len(cell))
            line += (cell + blank if entry.values is None else blank + cell) + "  "
        _line(console, Text(line.rstrip()))


def _line(console: Console, text: Text) -> None:
    """Print a line; only a terminal breaks it."""
    text.plain = plain(text.plain)
    console.print(text, soft_wrap=not console.is_terminal)
