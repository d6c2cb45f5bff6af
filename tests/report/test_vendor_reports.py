"""What vendors' reports say, in every view: in a table of its own, with its origin."""

import csv
import io

import pytest
from made_up import make_fields, make_imported, make_sweep
from pages import whole_page
from rich.console import Console

from gatewright.errors import InputError
from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv
from gatewright.report.diff import compare
from gatewright.report.markdown import to_markdown
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Report, SweepReport
from gatewright.report.terminal import render_terminal
from gatewright.report.view import more_table, notes, summary, vendor_table

ORIGIN = {"method": "vendor", "tool": "Vivado", "version": "2022.2", "details": "after routing"}


def make_report(config="w6", **figures):
    fields = make_fields(config)
    fields["vendor"] = make_imported(**figures)
    fields["provenance"]["groups"]["vendor.vivado-routed"] = ORIGIN
    return Report.model_validate(fields)


def sweep(*reports):
    return SweepReport(reports=reports or (make_report(),))


def on_terminal(shown):
    console = Console(file=io.StringIO(), width=200)
    render_terminal(shown, console)
    return console.file.getvalue()


def test_every_view_has_the_table_and_the_origin():
    shown = sweep(make_report(slack_ns=-0.25, alm=123.5))
    for text in (whole_page(shown), to_markdown(shown), on_terminal(shown)):
        assert "xczu7ev-ffvc1156-2-e" in text and "123.5" in text
        assert "after routing" in text and "slack -0.250 ns" in text


def test_it_has_no_place_among_mapped_cells():
    shown = sweep()
    assert shown.targets == ["xcup"]
    for table in (summary(shown), more_table(shown)):
        assert not any("vivado" in entry.heading for entry in table)
    assert [trade.target for trade in tradeoffs(shown)] == ["xcup"]
    (row,) = csv.DictReader(io.StringIO(to_csv(shown)))
    assert (row["vivado-routed.vendor_lut"], row["xcup.lut"]) == ("100", str(mapped(shown)))
    assert "vivado-routed.lut" not in row and "xcup.vendor_lut" not in row


def mapped(shown):
    return shown.reports[0].resources["xcup"].lut


def test_of_several_configurations_each_row_names_its_own():
    config = next(e for e in vendor_table(sweep(make_report("a"), make_report("b")).reports)[1:])
    assert (config.heading, config.cells) == ("config", ("a", "b"))
    assert vendor_table(make_sweep().reports) == []


def test_timing_that_is_not_met_is_noted():
    (note,) = notes(make_report(slack_ns=-0.25, hold_slack_ns=-1.5))
    assert note == ("vivado-routed: timing is not met, setup slack -0.250 ns, hold slack -1.500 ns")
    assert notes(make_report(slack_ns=0.0)) == []


def test_budgets_and_comparisons():
    budget = parse_budget("vivado-routed.vendor_slack=0")
    (verdict,) = check_budgets(sweep(make_report(slack_ns=-0.25)), [budget])
    assert not verdict.ok and verdict.relation == ">="
    (change,) = compare(sweep(make_report(lut=90)), sweep(make_report(lut=120))).changes
    assert (change.quantity.name, change.better) == ("vivado-routed.vendor_lut", True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "placed"}, "vendor.vivado-routed is vivado-placed"),
        ({"reports": []}, "at least 1 item"),
        ({"lut": -1}, "greater than or equal to 0"),
        ({"latency_min": 500}, "latency_min is larger than latency_max"),
        ({"part": "a b"}, "should match pattern"),
        ({"lutram": 5000}, "more LUTs used as memory"),
    ],
)
def test_what_is_no_import_is_refused(change, words):
    with pytest.raises((ValueError, InputError), match=words):
        make_report(**change)
