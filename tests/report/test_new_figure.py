"""A figure that is declared in the schema is everywhere that figures are: nothing else knows it."""

import io
import json
from typing import Annotated

import pytest
from made_up import make_fields
from pydantic import Field
from rich.console import Console

from gatewright.report import figures, view
from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv
from gatewright.report.diff import compare
from gatewright.report.html import to_html
from gatewright.report.markdown import to_markdown
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Report, Resources, Search, SweepReport, Timing
from gatewright.report.terminal import render_terminal
from gatewright.results.figure import Figure, PerTarget
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, Count, Real

pytestmark = pytest.mark.usefixtures("declared")


class PlacedTiming(Timing):
    hold_ns: Annotated[
        Real | None,
        Figure("hold slack", "more", "timing.placed", unit="ns", digits=2, after="ii"),
    ] = None


class PoweredResources(Resources):
    power_mw: Annotated[Amount | None, Figure("power", "less", unit="mW", digits=1)] = None
    """Of the whole device, in mW."""

    @property
    @Figure("leakage", "less", unit="mW", primary=False)
    def leakage(self) -> float | None:
        return None if self.power_mw is None else self.power_mw / 8


class Run(Part):
    seed: Count
    fmax_mhz: Amount


class Implementation(Part):
    runs: tuple[Run, ...] = ()

    @property
    @Figure("placed Fmax", "more", unit="MHz", digits=1, name="fmax_placed")
    def fmax(self) -> float | None:
        return min((run.fmax_mhz for run in self.runs), default=None)


class PlacedReport(Report):
    implementation: Annotated[dict[str, Implementation], PerTarget("implementation")] = Field(
        default_factory=dict
    )
    timing: PlacedTiming | None = None
    resources: Annotated[dict[str, PoweredResources], PerTarget("resources")] = Field(
        default_factory=dict
    )


@pytest.fixture
def declared(monkeypatch):
    for module in (figures, view):
        monkeypatch.setattr(module, "FIGURES", figures.gather(PlacedReport))


def placed(power=36.0, config="w6", **fields):
    report = make_fields(config)
    report["timing"]["hold_ns"] = 0.125
    report["resources"]["xcup"]["power_mw"] = power
    report["provenance"]["groups"]["timing.placed"] = {
        "method": "placed-and-routed",
        "tool": "nextpnr",
    }
    return PlacedReport.model_validate(report | fields)


def sweep(*reports, **fields):
    return SweepReport(reports=reports or (placed(),), **fields)


def test_json_has_it_and_its_origin_is_required():
    report = placed()
    assert PlacedReport.model_validate_json(report.to_json()) == report
    assert json.loads(report.to_json())["resources"]["xcup"]["power_mw"] == 36.0
    with pytest.raises(ValueError, match=r"no origin for timing\.placed"):
        placed(provenance=make_fields()["provenance"])


def test_every_view_shows_it():
    shown = sweep()
    header, row = to_csv(shown).splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["hold_ns"], cells["xcup.power_mw"], cells["xcup.leakage"]) == (
        "0.125",
        "36.0",
        "4.5",
    )
    terminal = io.StringIO()
    render_terminal(shown, Console(file=terminal, width=100))
    for text in (terminal.getvalue(), to_markdown(shown), to_html(shown)):
        for piece in ("hold slack (ns)", "0.12", "power (mW)", "36.0", "nextpnr"):
            assert piece in text
    assert "- hold slack: placed-and-routed · nextpnr" in to_markdown(shown)
    assert "leakage (mW)" in to_markdown(shown)
    assert "leakage" not in terminal.getvalue()


def test_a_part_of_its_own_is_one_per_target_and_holds_several_runs():
    """As placement with several seeds gives it; the target need not be one with resources."""
    nextpnr = {"method": "placed-and-routed", "tool": "nextpnr"}
    made = json.loads(placed().to_json())["provenance"]
    made["groups"]["implementation.ecp5"] = nextpnr
    runs = [{"seed": seed, "fmax_mhz": fmax} for seed, fmax in ((1, 90.0), (2, 88.0))]
    report = placed(implementation={"ecp5": {"runs": runs}}, provenance=made)
    shown = sweep(report)
    header, row = to_csv(shown).splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["ecp5.fmax_placed"], cells["xcup.fmax_placed"], cells["ecp5.lut"]) == (
        "88.0",
        "",
        "",
    )
    assert "implementation on ecp5: placed-and-routed · nextpnr" in to_markdown(shown)
    (verdict,) = check_budgets(shown, [parse_budget("fmax_placed=89")])
    assert str(verdict) == "w6: ecp5.fmax_placed is 88, budget >= 89: missed"
    del made["groups"]["implementation.ecp5"]
    with pytest.raises(ValueError, match=r"no origin for implementation\.ecp5"):
        placed(implementation={"ecp5": {"runs": runs}}, provenance=made)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (Figure("again", "less", name="lut"), "figure 'lut' occurs twice"),
        (
            Figure("last", "less", after="nothing"),
            "no figure 'nothing', which 'after' names",
        ),
    ],
)
def test_declarations_that_contradict_others_are_refused(figure, message):
    class Wrong(Timing):
        more: Annotated[Real | None, figure] = None

    class WrongReport(Report):
        timing: Wrong | None = None

    with pytest.raises(ValueError, match=message):
        figures.gather(WrongReport)


def test_the_list_of_figures_has_it():
    lines = view.figure_lines()
    assert (
        "power_mw: power (mW), less is better, on each target. Of the whole device, in mW." in lines
    )


def test_budgets_limit_it():
    budgets = [parse_budget(text) for text in ("power_mw=35", "hold_ns=0.1")]
    found = check_budgets(sweep(), budgets)
    assert [str(verdict) for verdict in found] == [
        "w6: xcup.power_mw is 36, budget <= 35: missed",
        "w6: hold_ns is 0.125, budget >= 0.1: met",
    ]


def test_comparisons_compare_it():
    (change, leakage) = compare(sweep(), sweep(placed(40.0))).changes
    assert (change.quantity.name, change.old, change.new) == ("xcup.power_mw", 40.0, 36.0)
    assert change.better and change.format() == ("40.0", "36.0", "-10.0%")
    assert leakage.quantity.name == "xcup.leakage"


def test_searches_weigh_it():
    search = Search(sampler="TPESampler", trials=(), objectives=("power_mw", "hold_ns"))
    reports = placed(36.0), placed(12.0, "w4")
    (found,) = tradeoffs(sweep(*reports, search=search))
    assert [column.name for column in found.weighed] == ["xcup.power_mw", "hold_ns"]
    assert found.front == {1}
