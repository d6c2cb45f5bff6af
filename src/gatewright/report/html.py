"""The report as one HTML page that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.report.pareto import tradeoffs
from gatewright.report.plots import (
    interval_plot,
    layer_colours,
    layer_plots,
    tradeoff_plot,
    trial_plot,
)
from gatewright.report.pruning import NO_TWIN, pruning_table, unmatched
from gatewright.report.recipe_tables import step_table
from gatewright.report.search_tables import failure_table, search_facts, trial_table
from gatewright.report.seeds import METHOD as SEED_METHOD
from gatewright.report.seeds import seed_table
from gatewright.report.sentences import difference_text, origin_text, port_text, verdict
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
    deviates,
    fidelities,
    fifo_table,
    layer_table,
    methods,
    more_table,
    notes,
    origins,
    split,
    summary,
    vendor_table,
)
from gatewright.system.console import plain
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.schema import SweepReport
    from gatewright.report.text_tables import Entry

_HERE = Path(__file__).parent


def _printable(value: Any) -> Any:
    """Text of reports without characters that steer a viewer; what is markup is ours."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(plain(line) for line in value.split("\n"))


def to_html(
    sweep: SweepReport,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
) -> str:
    """The reports as a self-contained HTML page.

    The page carries Plotly's script compressed (2 MB), which a browser of 2023 or later unpacks by
    itself; without scripts all but the plots is there. Its content security policy forbids every
    request. All text from reports is escaped.

    Args:
        sweep: the reports.
        verdicts: budgets to list, missed ones first.
        difference: comparison with older reports to add.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    drawn = _plots(sweep)
    page: str = environment.get_template("page.html.j2").render(
        sweep=sweep,
        css=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        plotly=_plotly() if drawn["plots"] else "",
        **drawn,
        **_tables(sweep),
        **_words(sweep),
        verdicts=sorted(verdicts, key=lambda verdict: verdict.ok),
        difference=difference,
        changes=change_table(difference) if difference and difference.changes else [],
        notes=notes,
        maximum=_maximum,
        origins=origins,
        deviates=deviates,
        difference_text=difference_text,
        origin_text=origin_text,
        port_text=port_text,
        verdict=verdict,
    )
    return page


def write_html(
    sweep: SweepReport,
    path: Path,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
) -> None:
    """Write the reports as a self-contained HTML page, see `to_html`.

    Raises:
        InputError: if the file can't be written.
    """
    write_text(path, to_html(sweep, verdicts=verdicts, difference=difference))


def _plots(sweep: SweepReport) -> dict[str, Any]:
    """The plots of the page by name, and which of them stand where."""
    plots: dict[str, dict[str, Any]] = {}
    if sweep.search and (trials := trial_plot(sweep.search)):
        plots["trials"] = trials
    trades = []
    for i, trade in enumerate(tradeoffs(sweep)):
        plots[f"trade-{i}"] = tradeoff_plot(sweep, trade)
        trades.append((f"trade-{i}", trade))
    breakdowns = []
    for i, target in enumerate(sweep.targets):
        names = []
        for j, plot in enumerate(layer_plots(sweep, target)):
            names.append(f"layers-{i}-{j}")
            plots[names[-1]] = plot
        if names:
            how = origins(sweep, f"layers.{target}")
            breakdowns.append((target, names, layer_colours(sweep, target), how))
    intervals = []
    for i, report in enumerate(sweep.reports):
        if bars := interval_plot(report):
            intervals.append(f"interval-{i}")
            plots[intervals[-1]] = bars
    places = {"trades": trades, "breakdowns": breakdowns, "intervals": intervals}
    return {"plots": plots, **places}


def _tables(sweep: SweepReport) -> dict[str, Any]:
    """The tables of the page, by the names that the template has for them."""
    search = sweep.search
    shared, varying = split(summary(sweep))
    return {
        "shared": shared,
        "sections": _sections(sweep, varying),
        "failures": failure_table(search) if search else [],
        "trials": trial_table(search, search.trials) if search else [],
        "seeds": seed_table(sweep),
        "prunings": pruning_table(sweep),
        "baselines": baseline_table(sweep),
        "gains": gain_table(sweep),
        "more": more_table(sweep),
        "layer_tables": [layer_table(report) for report in sweep.reports],
        "step_tables": [step_table([report]) for report in sweep.reports],
        "fifo_tables": [fifo_table(report) for report in sweep.reports],
        "vendor_tables": [vendor_table([report]) for report in sweep.reports],
    }


def _words(sweep: SweepReport) -> dict[str, Any]:
    """What the page says beside its tables, by the names that the template has for it."""
    return {
        "bottlenecks": bottlenecks(sweep),
        "fidelities": fidelities(sweep),
        "search_facts": search_facts(sweep.search) if sweep.search else [],
        "seed_method": SEED_METHOD,
        "unmatched": unmatched(sweep),
        "no_twin": NO_TWIN,
        "gain_method": METHOD,
        "problems": problems(sweep),
        "baseline_methods": baseline_methods(sweep),
        "methods": methods(sweep, all_groups(sweep)),
    }


def _sections(sweep: SweepReport, entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Neighbouring columns of one origin, with that origin for the row above the headings."""
    found: list[tuple[str, list[Entry]]] = []
    for entry in entries:
        origin = origins(sweep, entry.group, details=False)
        if found and found[-1][0] == origin:
            found[-1][1].append(entry)
        else:
            found.append((origin, [entry]))
    return found


def _maximum(entry: Entry) -> float:
    """The largest value of a column, at least 1, to scale bars by."""
    return max([1.0, *(value for value in entry.values or () if value is not None)])


@cache
def _plotly() -> str:
    """Plotly's script, gzip'ed and in base64; the same bytes every time."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
