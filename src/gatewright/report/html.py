"""The report as one self-contained HTML page: no server, no network, no other file."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.report.page_data import Judged, page_data
from gatewright.report.plots import trial_plot
from gatewright.report.pruning import NO_TWIN, pruning_table, unmatched
from gatewright.report.search_tables import failure_table, search_facts, trial_table
from gatewright.report.seeds import METHOD as SEED_METHOD
from gatewright.report.seeds import seed_table
from gatewright.report.software_tables import (
    METHOD,
    baseline_methods,
    baseline_table,
    gain_table,
)
from gatewright.report.view import all_groups, methods, summary
from gatewright.system.console import plain
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.schema import SweepReport

_PAGE = Path(__file__).parent / "page"
_SCRIPTS = ("data.js", "tables.js", "configurations.js", "plots.js", "details.js", "start.js")


def to_html(
    sweep: SweepReport,
    *,
    verdicts: Sequence[Verdict] = (),
    difference: Changes | None = None,
) -> str:
    """The reports of one model as a self-contained HTML page, see `models_to_html`.

    Args:
        sweep: the reports.
        verdicts: budgets to list.
        difference: comparison with older reports to add.
    """
    return models_to_html([Judged(sweep, verdicts, difference)])


def models_to_html(models: Sequence[Judged]) -> str:
    """The reports of several models as one self-contained HTML page.

    The page contains Plotly's script (2 MB) and the details of configurations, compressed;
    browsers since 2023 can unpack them. If scripts are disabled, the page shows the tables of
    configurations only. Its content security policy forbids every request and every script except
    its own. All text from reports is escaped.

    Args:
        models: at least one, each of another model, in the order in which to show them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    script = _script()
    data = page_data(models)
    details = json.dumps(data.pop("details"), separators=(",", ":"), allow_nan=False)
    page: str = environment.get_template("page.html.j2").render(
        models=[_sections(model) for model in models],
        data=_embedded(data),
        details=_packed(details),
        css=(_PAGE / "style.css").read_text(encoding="utf-8"),
        script=script,
        plotly=_packed(_plotly()),
        allowed=[_digest(script), _digest(_plotly())],
        seed_method=SEED_METHOD,
        gain_method=METHOD,
        no_twin=NO_TWIN,
    )
    return page


def write_html(models: Sequence[Judged], path: Path) -> None:
    """Write the reports as a self-contained HTML page, see `models_to_html`.

    Raises:
        InputError: if the file can't be written.
    """
    write_text(path, models_to_html(models))


def _sections(model: Judged) -> dict[str, Any]:
    """The template's variables for the sections below the configurations."""
    sweep = model.sweep
    search = sweep.search
    return {
        "name": sweep.model,
        "sweep": sweep,
        "summary": summary(sweep),
        "search": search,
        "search_facts": search_facts(search) if search else [],
        "trial_plot": _embedded(plot) if search and (plot := trial_plot(search)) else None,
        "trials": trial_table(search, search.trials) if search else [],
        "failures": failure_table(search) if search else [],
        "seeds": seed_table(sweep),
        "prunings": pruning_table(sweep),
        "unmatched": unmatched(sweep),
        "baselines": baseline_table(sweep),
        "gains": gain_table(sweep),
        "baseline_methods": baseline_methods(sweep),
        "verdicts": sorted(model.verdicts, key=lambda verdict: verdict.ok),
        "methods": methods(sweep, all_groups(sweep)),
    }


def _printable(value: Any) -> Any:
    """Text of reports without control characters; `Markup` is our own and stays."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(plain(line) for line in value.split("\n"))


def _embedded(value: Any) -> Any:
    """JSON that is safe in a script element: it can't end the element or open another."""
    from markupsafe import Markup

    text: str = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 (<, > and & are escaped)


def _packed(text: str) -> str:
    """A text as the page's script unpacks it: gzip, in the letters of base64."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _digest(script: str) -> str:
    """The hash that allows a script in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _script() -> str:
    """The page's own script, joined from its files."""
    parts = [(_PAGE / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return '\n"use strict";\n' + "\n".join(parts)


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    text: str = get_plotlyjs()
    return text
