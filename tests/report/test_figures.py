"""Every figure is reachable, and its group is one that the schema knows."""

import re
from pathlib import Path

import pytest
from made_up import make_fields, make_recipe_fields, make_report, make_sweep

from gatewright.report.figures import FIGURES, Quantity, columns
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Report, Resources, SweepReport


def everything():
    """A report in which each figure is known."""
    fields = make_recipe_fields()
    fields["timing"].update(fmax_mhz=250.0, slack_ns=-0.25)
    fields["timing"].update(latency_last_min=12, latency_last_max=13)
    fields["resources"]["xcup"].update(bram=1.5, uram=2, lutram=3, area_um2=4.5, energy_pj=5.5)
    fields["provenance"]["groups"]["timing.analyzed"] = {"method": "estimated", "tool": "STA"}
    return Report.model_validate(fields)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_read_from_its_field_and_has_an_origin(name):
    report = everything()
    quantity = Quantity(FIGURES[name], "xcup" if FIGURES[name].per_target else None)
    assert quantity.of(report) is not None
    assert quantity.group in report.groups or name == "clock"
    bare = make_fields()
    for part in ("accuracy", "verification", "timing", "compute"):
        bare[part] = None
    bare["resources"] = {}
    assert quantity.of(Report.model_validate(bare)) is None


def test_every_resource_is_a_figure():
    fields = {figure.field for figure in FIGURES.values() if figure.per_target}
    assert fields == set(Resources.model_fields)


def test_the_documentation_lists_every_figure_in_order():
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    (listed,) = re.findall(r"Figures are: (.*?)\.\n", text, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(FIGURES)


def test_columns_of_two_targets_stand_together():
    names = [column.name for column in columns(make_sweep(targets=("xcup", "xc7")))]
    split = names.index("xcup.lut")
    assert names[split - 1] == "xc7.energy"
    assert names[-1] == "sparsity"


def points(*pairs, failed=()):
    """A sweep with these (LUTs, accuracy)."""
    reports = []
    for i, (lut, accuracy) in enumerate(pairs):
        fields = make_fields(f"c{i}", accuracy=accuracy, mismatches=2 if i in failed else 0)
        fields["resources"]["xcup"]["lut"] = lut
        reports.append(Report.model_validate(fields))
    return SweepReport(reports=tuple(reports))


def test_pareto_front():
    sweep = points((100, 0.9), (50, 0.8), (100, 0.8), (200, 0.95), (60, 0.8), (50, 0.8))
    (trade,) = tradeoffs(sweep)
    assert trade.front == {0, 1, 3, 5}


def test_a_failed_or_unknown_configuration_is_not_on_the_front():
    sweep = points((100, 0.9), (10, 0.99), (None, 0.999), (90, None), failed=(1,))
    (trade,) = tradeoffs(sweep)
    assert trade.front == {0}


def test_the_trade_falls_back_to_quantized_accuracy_and_to_cell_area():
    fields = make_fields()
    fields["accuracy"]["rtl"] = None
    fields["resources"]["xcup"] = {"area_um2": 1234.5}
    (trade,) = tradeoffs(SweepReport(reports=(Report.model_validate(fields),)))
    assert (trade.accuracy.name, trade.area.name) == ("accuracy_quantized", "xcup.area")
    assert not tradeoffs(SweepReport(reports=(make_report(targets=()),)))
