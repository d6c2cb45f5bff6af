"""Reports of models whose metric is an error, of which less is better."""

import json

import pytest
from made_up import make_error_sweep, make_fields, make_recipe_fields, make_step, with_error
from pydantic import ValidationError
from rich.console import Console

from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv
from gatewright.report.diff import compare
from gatewright.report.figures import FIGURES
from gatewright.report.markdown import to_markdown
from gatewright.report.page_data import Judged, page_data
from gatewright.report.pareto import tradeoffs
from gatewright.report.pruning import pruning_table
from gatewright.report.recipe_tables import step_table
from gatewright.report.schema import Report, SweepReport
from gatewright.report.seeds import seed_table
from gatewright.report.software_tables import baseline_table
from gatewright.report.terminal import render_terminal
from gatewright.report.view import facts, main_columns


def cells(entries):
    return {entry.heading: entry.cells for entry in entries}


def test_a_front_weighs_the_error_and_prefers_less():
    (trade,) = tradeoffs(make_error_sweep())
    assert (trade.score.name, trade.score.figure.better) == ("error", "less")
    assert "weighs error and LUT" in trade.explain(None)
    worse = make_error_sweep().reports[0].model_dump(exclude_none=True)
    worse["config"]["name"] = "worse"
    worse["error"]["rtl"] = 1.0
    sweep = make_error_sweep()
    larger = SweepReport(reports=(*sweep.reports, Report.model_validate(worse)))
    (trade,) = tradeoffs(larger)
    assert 3 not in trade.front
    assert 0 in trade.front


def test_tables_show_digits_that_count():
    sweep = make_error_sweep()
    shown = {column.name: column for column in main_columns(sweep)}
    assert [shown["error"].figure.format(value) for value in shown["error"].values] == [
        "0.01251",
        "0.0131",
        "0.1235",
    ]
    assert "error_quantized" not in shown  # the same values as those of the RTL
    assert FIGURES["error"].format(12345.678) == "12,350"
    assert FIGURES["error"].format(0.0000123456) == "1.235e-05"
    assert FIGURES["error"].format(0.0) == "0"


def test_every_table_names_the_metric():
    sweep = make_error_sweep()
    assert ("Error", "mean squared error on 360 samples; less is better") in facts(sweep.reports[0])
    steps = cells(step_table(sweep.reports))
    assert steps["mean squared error (test)"][0] == "1.25"
    seeds = cells(seed_table(sweep))
    assert seeds["error quantized"][0] == "0.01564 ± 0.0044"
    assert "accuracy quantized" not in seeds
    assert cells(baseline_table(sweep))["mean squared error"] == ("0.0125",)


def test_pruning_shows_the_change_of_the_error():
    train, prune, quantize = (make_step(name) for name in ("train", "prune", "quantize"))
    plain = with_error(make_recipe_fields("plain", (train, quantize)), 0.5)
    pruned = with_error(make_recipe_fields("pruned", (train, prune, quantize)), 0.75)
    table = cells(pruning_table(SweepReport.model_validate({"reports": [plain, pruned]})))
    assert table["error change"] == ("0.25",)


def test_budgets_limit_errors_from_above():
    sweep = make_error_sweep()
    assert parse_budget("error=0.02").relation == "<="
    verdicts = check_budgets(sweep, [parse_budget("error<=0.02")])
    assert [verdict.ok for verdict in verdicts] == [True, True, False]


def test_a_rise_of_the_error_is_worse():
    old = make_error_sweep()
    new = old.model_dump(exclude_none=True)
    new["reports"][0]["error"]["rtl"] = 0.02
    changes = compare(SweepReport.model_validate(new), old).changes
    judged = {change.quantity.name: change.better for change in changes}
    assert judged == {"error": False}


def test_other_metrics_are_not_compared():
    old = make_error_sweep()
    new = old.model_dump(exclude_none=True)
    new["reports"][0]["error"] |= {"metric": "mean absolute error", "rtl": 0.5}
    changes = compare(SweepReport.model_validate(new), old).changes
    assert {(change.better, change.percent) for change in changes} == {(None, None)}
    assert {change.note for change in changes} == {"mean squared error → mean absolute error"}
    assert {change.quantity.name for change in changes} >= {"error", "error_float"}


def test_every_view_has_the_error():
    sweep = make_error_sweep()
    assert "error_validation" in to_csv(sweep)
    assert "error RTL" in to_markdown(sweep)
    console = Console(width=200, record=True, force_terminal=False)
    render_terminal(sweep, console)
    text = console.export_text()
    assert "metric mean squared error, less is better" in text
    assert "front: The front weighs error and LUT" in " ".join(text.split())
    data = page_data([Judged(sweep)])
    (column,) = (each for each in data["columns"] if each["name"] == "error")
    assert (column["better"], column["significant"]) == ("less", 4)
    assert data["models"][0]["float"] == 0.0125
    (metric,) = (each for each in data["choices"] if each["heading"] == "metric")
    assert metric["cells"] == ["mean squared error, less is better"] * 3
    assert data["models"][0]["fronts"][0]["up"] == "error"


def test_values_out_of_range_are_refused():
    fields = with_error(make_fields(), 0.5)
    fields["error"]["rtl"] = -0.5
    with pytest.raises(ValidationError, match=r"error\.rtl"):
        Report.model_validate(fields)
    fields = make_fields()
    fields["accuracy"]["rtl"] = 1.5
    with pytest.raises(ValidationError, match=r"accuracy\.rtl"):
        Report.model_validate(fields)
    fields = make_recipe_fields()
    fields["steps"][0]["test"] = 1.5
    with pytest.raises(ValidationError, match="fraction from 0 to 1"):
        Report.model_validate(fields)
    fields["steps"][0]["better"] = "less"
    assert Report.model_validate(fields).steps[0].test == 1.5


def test_an_error_survives_json():
    sweep = make_error_sweep()
    assert SweepReport.model_validate(json.loads(sweep.to_json())) == sweep
