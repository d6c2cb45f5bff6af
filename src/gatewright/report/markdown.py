"""The report as Markdown, to be reviewed together with code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewright.report.cost_tables import METHOD as COST_METHOD
from gatewright.report.cost_tables import cost_methods, cost_table, tells_cost
from gatewright.report.pareto import tradeoffs
from gatewright.report.pruning import NO_TWIN, pruning_table, unmatched
from gatewright.report.recipe_tables import step_table
from gatewright.report.search_tables import failure_table, search_facts, trial_table
from gatewright.report.seeds import METHOD as SEED_METHOD
from gatewright.report.seeds import seed_table
from gatewright.report.sentences import difference_text, port_text
from gatewright.report.software_tables import (
    METHOD,
    baseline_methods,
    baseline_table,
    gain_table,
    problems,
)
from gatewright.report.view import (
    all_groups,
    bottlenecks,
    change_table,
    fidelities,
    fifo_table,
    layer_table,
    methods,
    more_table,
    notes,
    range_table,
    split,
    summary,
    vendor_table,
)
from gatewright.system.console import plain
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.prices import Prices
    from gatewright.report.schema import Report, SweepReport
    from gatewright.report.text_tables import Entry


def to_markdown(
    sweep: SweepReport,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
    prices: Prices | None = None,
) -> str:
    """The reports as Markdown: configurations, origins of figures, and layers.

    Wall times are left out, so that the same figures give the same text.

    Args:
        sweep: the reports.
        verdicts: budgets to list, missed ones first.
        difference: comparison with older reports to add.
        prices: by which costs are told.
    """
    parts = [*_configurations(sweep), *_search(sweep), *_seeds(sweep), *_pruning(sweep)]
    parts += _software(sweep)
    if tells_cost(sweep.reports, prices):
        parts += cost_parts(sweep, prices)
    if found := bottlenecks(sweep):
        parts += ["## Bottlenecks", _list(f"{config}: {sentence}" for config, sentence in found)]
    if verdicts:
        parts += ["## Budgets", _list(map(str, sorted(verdicts, key=lambda v: v.ok)))]
    if difference is not None:
        parts += ["## Changes"]
        parts += [_table(change_table(difference))] if difference.changes else []
        parts += [_list(difference.remarks())]
    if len(more := more_table(sweep)) > 1:
        parts += ["## More figures", _table(more)]
    parts += ["## Where the figures come from"]
    parts.append(_list(f"{name}: {origin}" for name, origin in methods(sweep, all_groups(sweep))))
    parts.append("## Layers")
    parts += [part for report in sweep.reports for part in _layers(report)]
    parts += _trials(sweep)
    return "\n\n".join(parts) + "\n"


def write_markdown(
    sweep: SweepReport,
    path: Path,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
    prices: Prices | None = None,
) -> None:
    """Write the reports as Markdown, see `to_markdown`.

    Raises:
        InputError: if the file can't be written.
    """
    text = to_markdown(sweep, verdicts=verdicts, difference=difference, prices=prices)
    write_text(path, text)


def _configurations(sweep: SweepReport) -> list[str]:
    """The model, the table of configurations, and remarks on it."""
    shared, varying = split(summary(sweep))
    parts = [f"# {_escape(sweep.model)}"]
    if task := sweep.reports[0].model.task:
        parts.append(_escape(task))
    if shared:
        same = "; ".join(f"{_escape(e.heading)} {_escape(e.cells[0])}" for e in shared)
        several = len(sweep.reports) > 1
        parts.append(f"{'Same in every configuration' if several else 'Configuration'}: {same}.")
    parts.append(_table(varying))
    parts += [
        f"**{_escape(report.config.name)}: first difference:** "
        + _escape(difference_text(report.verification.first_difference))
        for report in sweep.reports
        if report.verification and report.verification.first_difference
    ]
    if told := fidelities(sweep):
        parts += ["## Against the model itself"]
        parts += [_list(f"{config}: {sentence}" for config, sentence, _ in told)]
    return parts + [
        f"Pareto front{f' on {_escape(trade.target)}' if len(sweep.targets) > 1 else ''}: "
        + _escape(trade.explain(sweep.search))
        for trade in tradeoffs(sweep)
    ]


def _layers(report: Report) -> list[str]:
    """The layers of a configuration, the steps of its recipe, its FIFOs, ranges and ports."""
    parts = []
    if report.layers:
        parts += [f"### {_escape(report.config.name)}", _table(layer_table(report))]
    if remarks := notes(report):
        parts.append(_list(remarks))
    if steps := step_table([report], wall_times=False):
        parts.append(_table(steps))
    if fifos := fifo_table(report):
        parts.append(_table(fifos))
    if ranges := range_table(report):
        parts.append(_table(ranges))
    if vendor := vendor_table([report]):
        parts.append(_table(vendor))
    if report.ports:
        parts.append(_list(map(port_text, report.ports)))
    return parts


def _search(sweep: SweepReport) -> list[str]:
    if sweep.search is None:
        return []
    facts = _list(f"{name}: {text}" for name, text in search_facts(sweep.search))
    failures = failure_table(sweep.search)
    return ["## Search", facts, *([_table(failures)] if failures else [])]


_MOST = 60
"""Up to this number of trials all are listed; of more, only those that completed."""


def _trials(sweep: SweepReport) -> list[str]:
    """The trials of the search. This long table goes to the end of the document."""
    search = sweep.search
    if search is None or not search.trials:
        return []
    shown, text = search.trials, f"All {len(search.trials):,} trials."
    if len(shown) > _MOST:
        shown = search.completed
        text = f"{len(shown):,} of {len(search.trials):,} trials: those that completed. "
        text += "The JSON and the page list all."
    parts = ["## Trials", text]
    return parts + ([_table(trial_table(search, shown))] if shown else [])


def _seeds(sweep: SweepReport) -> list[str]:
    table = seed_table(sweep)
    return ["## Other seeds", SEED_METHOD, _table(table)] if table else []


def _pruning(sweep: SweepReport) -> list[str]:
    table, alone = pruning_table(sweep), unmatched(sweep)
    parts = ["## Pruning"] if table or alone else []
    parts += [_table(table)] if table else []
    return parts + ([f"{NO_TWIN}: {_escape(', '.join(alone))}."] if alone else [])


def _software(sweep: SweepReport) -> list[str]:
    if not sweep.baselines:
        return []
    parts = ["## Against software"]
    parts += [_table(table) for table in (baseline_table(sweep),) if table]
    parts += [text for table in (gain_table(sweep),) if table for text in (METHOD, _table(table))]
    said = [*problems(sweep), *(f"{name}: {text}" for name, text in baseline_methods(sweep))]
    return parts + ([_list(said)] if said else [])


def cost_parts(sweep: SweepReport, prices: Prices | None = None) -> list[str]:
    """Parts of the page, blank lines apart: what an inference takes on each device."""
    held = sweep.reports, sweep.baselines, prices
    table = cost_table(*held)
    said = [f"{name}: {text}" for name, text in cost_methods(*held)]
    return ["## Cost", COST_METHOD, *([_table(table), _list(said)] if table else [])]


def _table(entries: Sequence[Entry]) -> str:
    headings = [_escape(entry.heading) for entry in entries]
    rules = ["---:" if entry.values is not None else "---" for entry in entries]
    rows = zip(*(map(_escape, entry.cells) for entry in entries), strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rules, *rows))


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def _escape(text: str) -> str:
    """Text on one line, escaped for Markdown and for HTML in Markdown."""
    line = plain(" ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", line)
