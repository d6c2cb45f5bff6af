"""What analysis of standard cells found, in every view."""

import io

import pytest
from made_up import add_analyzed, make_fields
from pages import whole_page
from pydantic import ValidationError
from rich.console import Console

from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv
from gatewright.report.markdown import to_markdown
from gatewright.report.schema import Report, SweepReport
from gatewright.report.sentences import power_text
from gatewright.report.terminal import render_terminal

SENTENCE = (
    "Clock on osu018, without wires: 235.3 MHz (5 ns met). Longest path 4.25 ns, through 21 cells: "
    "from s_axis_tdata_20 to fc1.t9_q1."
)


def make_report(**power):
    fields = make_fields(targets=("osu018",))
    add_analyzed(fields)
    fields["power"]["osu018"].update(power)
    return Report.model_validate(fields)


def test_every_view_shows_clock_energy_and_origin():
    sweep = SweepReport(reports=(make_report(),))
    terminal = io.StringIO()
    render_terminal(sweep, Console(file=terminal, width=400))
    for text in (terminal.getvalue(), to_markdown(sweep), whole_page(sweep)):
        assert SENTENCE in text.replace("\\_", "_")
        for piece in ("energy (pJ)", "802.5", "energy with glitches (pJ)", "1,163.5", "analyzed"):
            assert piece in text
    header, row = to_csv(sweep).splitlines()[:2]
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert cells["osu018.analyzed_fmax"] == "235.294"
    assert cells["osu018.energy"] == "802.5"


def test_a_run_without_delays_says_so():
    found = make_report(glitch_energy_pj=None, no_glitches="more than 40,000 cells")
    text = power_text("osu018", found.power["osu018"])
    assert "not with glitches: more than 40,000 cells" in text


@pytest.mark.parametrize(("budget", "met"), [("energy=900", True), ("osu018.energy=100", False)])
def test_budgets_are_held_against_them(budget, met):
    sweep = SweepReport(reports=(make_report(),))
    (verdict,) = check_budgets(sweep, [parse_budget(budget)])
    assert verdict.ok is met


def test_an_origin_is_required():
    fields = make_fields(targets=("osu018",))
    add_analyzed(fields)
    del fields["provenance"]["groups"]["power.osu018"]
    with pytest.raises(ValidationError, match=r"no origin for power\.osu018"):
        Report.model_validate(fields)
