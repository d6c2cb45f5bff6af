"""What a router found, in every view."""

import io
import json

import pytest
from made_up import add_routed, make_fields
from pages import whole_page
from rich.console import Console

from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv
from gatewright.report.markdown import to_markdown
from gatewright.report.schema import Report, SweepReport
from gatewright.report.sentences import critical_path_text
from gatewright.report.terminal import render_terminal

SENTENCE = (
    "Clock on ecp5-85k: 100.0 MHz (8 ns missed by 2.00 ns, seed 2, the worst of 2). Longest path "
    "10.00 ns, 72 % of it routing, through 1 gate of fc1, fc2: from fc1.t3_q1 to fc2.valid_q."
)


def make_sweep():
    fields = make_fields(targets=("ecp5-85k",))
    add_routed(fields)
    return SweepReport(reports=(Report.model_validate(fields),))


def test_the_figures_are_those_of_the_worst_seed():
    (report,) = make_sweep().reports
    found = report.routed["ecp5-85k"]
    assert (found.fmax_mhz, found.slack_ns, found.path_ns) == (100.0, -2.0, 10.0)
    assert found.path_ratio == 1.25


def test_every_view_shows_them_and_what_limits_the_clock():
    sweep = make_sweep()
    terminal = io.StringIO()
    render_terminal(sweep, Console(file=terminal, width=400))
    for text in (terminal.getvalue(), to_markdown(sweep), whole_page(sweep)):
        assert SENTENCE in text.replace("\\_", "_")
        for piece in ("Fmax (MHz)", "slack (ns)", "-2.000", "placed-and-routed"):
            assert piece in text
    header, row = to_csv(sweep).splitlines()[:2]
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert [cells[f"ecp5-85k.{name}"] for name in ("fmax", "routed_lut", "path_ratio")] == [
        "100.0",
        "2010",
        "1.25",
    ]


@pytest.mark.parametrize(("budget", "met"), [("fmax>=100", True), ("ecp5-85k.slack=0", False)])
def test_budgets_are_held_against_them(budget, met):
    (verdict,) = check_budgets(make_sweep(), [parse_budget(budget)])
    assert verdict.ok is met


def test_json_keeps_every_seed_and_depends_on_no_wall_time():
    sweep = make_sweep()
    assert SweepReport.model_validate_json(sweep.to_json()) == sweep
    runs = json.loads(sweep.to_json(wall_times=False))["reports"][0]["routed"]["ecp5-85k"]["runs"]
    found = [(run["seed"], run["fmax_mhz"]) for run in runs]
    assert found == [(1, 110.0), (2, 100.0)]
    assert not any("seconds" in run for run in runs)


def test_what_signals_were_made_for_is_said_where_it_is_known():
    fields = make_fields(targets=("ecp5-85k",))
    add_routed(fields)
    path = fields["routed"]["ecp5-85k"]["critical_path"]
    path[0]["origin"] = {"layer": "fc1_relu", "stage": 3, "element": 12}
    path[-1]["origin"] = {"layer": "fc2", "stage": 1}
    text = critical_path_text("ecp5-85k", Report.model_validate(fields).routed["ecp5-85k"])
    ends = "from fc1.t3_q1 (fc1_relu, element 12, stage 3) to fc2.valid_q (stage 1)."
    assert text.endswith(ends)
