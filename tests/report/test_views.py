"""The views show each figure that is known and nothing that is not, and take no text for markup."""

import base64
import csv
import hashlib
import io
import json
import re

import pytest
from made_up import (
    FRONT,
    RECIPE,
    add_ranges,
    add_routed,
    make_baseline,
    make_fidelity,
    make_fields,
    make_found_sweep,
    make_recipe_fields,
    make_report,
    make_search,
    make_streamed_fields,
    make_streamed_report,
    make_sweep,
    make_trial,
)
from pages import Page
from plotly import graph_objects as go
from plotly.offline import get_plotlyjs
from rich.cells import cell_len
from rich.console import Console

from gatewright.report.attention import remarks
from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.csv import to_csv, write_csv
from gatewright.report.diff import compare
from gatewright.report.html import models_to_html, to_html, write_html
from gatewright.report.markdown import to_markdown, write_markdown
from gatewright.report.page_data import Judged, page_data
from gatewright.report.plots import trial_plot
from gatewright.report.schema import Report, SweepReport
from gatewright.report.search_tables import trial_table
from gatewright.report.terminal import render_terminal
from gatewright.report.view import fifo_table, layer_table, summary

EVIL = """</script><img src=x onerror="alert(1)">|`*%{x}&amp;[red]"""


def terminal(sweep, *, width=80, tty=False, **options):
    text = io.StringIO()
    render_terminal(sweep, Console(file=text, width=width, force_terminal=tty), **options)
    return text.getvalue()


def evil_sweep():
    fields = make_fields(EVIL, mismatches=3)
    fields["model"].update(name=EVIL, task=EVIL)
    for part in (fields["layers"][0], fields["config"]["layers"][0]):
        part["name"] = EVIL
    fields["verification"]["first_difference"]["layer"] = EVIL
    fields["provenance"]["groups"]["compute"]["tool"] = EVIL
    fields |= make_fidelity(outputs=[], not_compared=EVIL, warning=EVIL)
    fields["provenance"]["inputs"] = {EVIL: EVIL}
    streamed = make_streamed_fields()
    fields |= {key: streamed[key] for key in ("ports", "fifos", "bottleneck")}
    fields["provenance"]["groups"] = streamed["provenance"]["groups"] | {
        "compute": fields["provenance"]["groups"]["compute"]
    }
    fields["timing"]["ii_predicted"] = 8
    fields["layers"][0]["interval"] = 8
    fields["ports"][0]["tensor"] = fields["fifos"][0]["name"] = EVIL
    fields["bottleneck"]["layer"] = EVIL
    recipe = make_recipe_fields()
    for group in ("steps.accuracy", "steps.compute", "accuracy.validation"):
        fields["provenance"]["groups"][group] = recipe["provenance"]["groups"][group]
    fields["steps"] = [
        step | dict.fromkeys(("settings", "metric", "device"), EVIL) for step in recipe["steps"]
    ]
    words = dict.fromkeys(
        ("runtime", "version", "model", "source", "cpu", "metric", "method"), EVIL
    )
    baselines = make_baseline(**words), {"runtime": EVIL, "model": EVIL, "problem": EVIL}
    trials = [
        make_trial(0, state="stopped", reason=EVIL),
        make_trial(1, state="failed", error=EVIL),
        make_trial(
            2,
            config=EVIL,
            front=True,
            point={EVIL: EVIL},
            figures={"accuracy": 0.9, "lut": 5.0, EVIL: 1.0},
        ),
    ]
    search = make_search(sampler=EVIL, tool=EVIL, trials=trials)
    return SweepReport.model_validate(
        {"reports": [fields], "baselines": baselines, "search": search}
    )


def test_plain_terminal_output_is_whole_lines_without_colour():
    text = terminal(make_sweep())
    assert "\x1b" not in text
    lines = text.splitlines()
    (heading,) = [line for line in lines if line.startswith("config ")]
    for column in ("bits", "verification", "accuracy RTL", "latency (cycles)", "LUT", "front"):
        assert f" {column}" in heading
    (row,) = [line for line in lines if line.startswith("w6 ")]
    assert row.split()[-4:] == ["17,572", "4,480", "0", "◆"]
    assert "'fc2', vector 17, element 3: golden 12, RTL -4" in text
    assert "synthesized · Yosys 0.70" in text
    assert not any(line != line.rstrip() for line in lines)


def page_data_of(sweep):
    return Page(to_html(sweep)).data()


def page_text(sweep):
    """The texts that the page shows, those that its script shows among them."""
    page = Page(to_html(sweep))
    return "".join([*page.text, *strings(page.data())])


def streamed_sweep():
    slow, fast = make_streamed_report("r72"), make_streamed_report("r36", 2, sized=False)
    return SweepReport(reports=(slow, fast))


def test_every_view_tells_how_time_is_shared():
    sweep = streamed_sweep()
    html = page_text(sweep)
    for text in (terminal(sweep), to_markdown(sweep), html):
        assert "Bottleneck: conv2 takes 8,712 cycles per tensor (reuse factor 72)." in text
        assert "32 multipliers instead of 16, about 5,100 LUT more (estimated)." in text
        assert "conv1: reuse factor moved from 7 to 9" in text
        for figure in ("II (cycles)", "FPS", "8,713", "8,712", "22,954", "last beat", "9,622"):
            assert figure in text
    for text in (to_markdown(sweep), html):
        assert text.count("not measured") == 4
        assert "784 beats of 1 element, 8 bits" in text


def test_the_layer_table_says_who_is_idle():
    layers = {entry.heading: entry for entry in layer_table(make_streamed_report())}
    assert layers["II"].cells == ("6,084", "676", "8,712", "121", "400")
    assert layers["busy"].cells == ("70%", "8%", "100%", "1%", "5%")
    assert layers["reuse"].cells == ("7 → 9", "", "72", "", "400")
    assert layers["reuse"].values == (9, None, 72, None, 400)
    assert layers["multipliers"].cells == ("8", "", "16", "", "10")


def test_a_design_that_shares_nothing_says_nothing_of_it():
    report = make_report()
    headings = {entry.heading for entry in layer_table(report)}
    assert not {"II", "busy", "multipliers"} & headings
    sweep = SweepReport(reports=(report,))
    for text in (terminal(sweep), to_markdown(sweep), page_text(sweep)):
        assert not re.search("Bottleneck|FIFO|Time per layer|last beat|moved", text)


def test_a_speed_that_was_asked_for():
    asked, free = make_fields("asked"), make_report("free")
    asked["config"]["target_ii"] = 1000
    sweep = SweepReport(reports=(Report.model_validate(asked), free))
    heading, row, *_ = (cells.split() for cells in terminal(sweep).splitlines()[2:])
    assert " ".join(heading[1:5]) == "II asked for verification"
    assert row[1] == "1,000"
    asked["config"] |= {"target_ii": None, "target_fps": 12345.5}
    only = SweepReport(reports=(Report.model_validate(asked),))
    for text in (terminal(only), to_markdown(only), to_html(only)):
        assert "FPS asked for" in text and "12,345.5" in text
    assert "asked for" not in terminal(make_sweep())


def test_fifos_that_were_measured_and_not():
    measured, unmeasured = streamed_sweep().reports
    table = {entry.heading: entry.cells for entry in fifo_table(measured)}
    assert table == {
        "FIFO": ("u_conv1_fifo", "u_pool1_fifo", "u_conv2_fifo", "u_pool2_fifo"),
        "depth (beats)": ("0", "3", "6", "9"),
        "high-water mark (beats)": ("0", "3", "6", "9"),
        "width (bits)": ("64", "64", "128", "128"),
    }
    depths, levels = fifo_table(unmeasured)[1:3]
    assert depths.cells == ("16",) * 4
    assert levels.cells == ("not measured",) * 4
    assert fifo_table(make_report()) == []


def test_what_was_chosen_for_a_single_configuration_stands_above_its_figures():
    (_, above, heading, row, *_) = terminal(SweepReport(reports=(make_report(),))).splitlines()
    assert above == "bits 6  io io_parallel  reuse 1  target xcup  clock (ns) 5.000"
    assert heading.split()[:3] == ["config", "verification", "accuracy"]
    assert row.split()[:2] == ["w6", "bit-exact,"]


def test_figures_absent_everywhere_have_no_column():
    assert "Fmax" not in terminal(make_sweep())
    assert "BRAM" not in terminal(make_sweep())


def test_a_prediction_that_failed_is_shown():
    assert "predicted" not in terminal(make_sweep())
    fields = make_fields("w5")
    fields["timing"]["latency_predicted"] = 11
    both = SweepReport(reports=(make_report("w6"), Report.model_validate(fields)))
    assert "predicted latency (cycles)" in terminal(both)


def test_the_least_latency_is_shown_where_later_tensors_wait():
    assert "least" not in terminal(make_sweep())
    fields = make_fields("shared")
    fields["timing"].update(latency_min=10, latency_max=25, latency_predicted=10)
    shared = terminal(SweepReport(reports=(Report.model_validate(fields),)))
    assert "least latency (cycles)" in shared
    assert "predicted" not in shared
    fields["timing"].update(latency_predicted=11)
    missed = terminal(SweepReport(reports=(Report.model_validate(fields),)))
    assert "predicted latency (cycles)" in missed


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_on_a_narrow_terminal_every_column_is_still_whole(width):
    text = terminal(make_sweep(), width=width, tty=True)
    assert "…" not in text
    for figure in ("26,906", "bit-exact, 10,000 vectors", "0.9694", "450"):
        assert figure in text


@pytest.mark.parametrize("width", [20, 40, 80, 132])
def test_no_table_is_wider_than_the_terminal(width):
    fields = make_fields("a_name_longer_than_many_a_terminal")
    fields["config"]["target"] = "a_target"
    several = SweepReport(reports=(*make_sweep().reports, Report.model_validate(fields)))
    for sweep in (several, streamed_sweep(), make_found_sweep()):
        text = re.sub(r"\x1b\[[\d;]*m", "", terminal(sweep, width=width, tty=True))
        assert max(map(cell_len, text.splitlines())) <= width


def test_rich_markup_in_names_is_text():
    assert "[red]" in terminal(evil_sweep())
    assert "[red]" in terminal(evil_sweep(), width=400, tty=True)


def views(sweep):
    return terminal(sweep), to_markdown(sweep), page_text(sweep)


def with_fidelity(**changes):
    fields = make_fields() | make_fidelity(**changes)
    fields["provenance"]["groups"]["fidelity"] = {"method": "simulated", "tool": "tf-keras 2.21"}
    return SweepReport(reports=[Report.model_validate(fields)])


def test_every_view_tells_how_far_the_hardware_is_from_the_model_itself():
    for text in views(with_fidelity()):
        words = " ".join(text.replace("\\", "").split())
        assert "class agrees in 97.00 %, difference at most 0.75, 0.01 in the mean" in words
        assert "look at fc1" in words
        assert "0.9700" in words and "tf-keras 2.21" in words
    assert any("5.53" in text for text in views(with_fidelity())[1:])
    (column,) = (e for e in layer_table(with_fidelity().reports[0]) if "model" in e.heading)
    assert column.cells[0] == "5.53" and not any(column.cells[1:])
    for text in views(with_fidelity(outputs=[], not_compared="no TensorFlow", warning=None)):
        assert "not compared with the model itself: no TensorFlow" in " ".join(text.split())
    row = next(csv.DictReader(io.StringIO(to_csv(with_fidelity()))))
    assert (row["agreement"], row["difference"], row["equal"]) == ("0.97", "0.75", "0.5")


def test_every_view_tells_of_steps_pruning_software_and_the_search():
    sweep = make_found_sweep()
    for text in views(sweep):
        plain = text.replace("\\", "").replace("·", " ")
        for words in ("50% by magnitude", "40 epochs, seed 0", "quantize", "2,698,240"):  # steps
            assert words in plain
        for words in ("TensorFlow Lite 2.21.0", "12.5", "640,000", "80,000", "no such op"):
            assert words in plain
        assert "not measured on a device" in plain
        for words in ("TPESampler, Optuna 5.0.0, seed 7", "out of memory", "latency_ns<=100"):
            assert words in plain
        assert "50: 28 completed, 21 stopped early, 1 failed" in plain
        assert "weighs accuracy and LUT, the objectives of the search" in plain
        assert "metric after each step" in plain
        assert "Invented Processor 9000" in plain
    assert "time (s)" in terminal(sweep)
    assert "time (s)" not in to_markdown(sweep)  # equal figures, equal bytes


def test_what_a_search_sought_stands_in_the_main_table():
    found = make_found_sweep()
    sought = make_search(objectives=["accuracy_validation", "ebops"], constraints=[])
    headings = [
        {entry.heading for entry in summary(found.model_copy(update={"search": search}))}
        for search in (found.search, sought)
    ]
    assert headings[1] - headings[0] == {"accuracy validation", "EBOPs"}
    assert "weighs validation accuracy and EBOPs" in terminal(
        found.model_copy(update={"search": sought})
    )


def test_the_page_lists_all_trials_and_shows_those_that_completed():
    sweep = make_found_sweep()
    page = Page(to_html(sweep))
    assert not page.stack
    places = [attrs["data-plot"] for _, attrs in page.tags if "data-plot" in attrs]
    assert places == ["trials-0"]
    plot = json.loads(page.scripts["trials-0"])
    assert plot == trial_plot(sweep.search)
    go.Figure(plot)
    line, *groups = plot["data"]
    found = {trace["name"]: len(trace["x"]) for trace in groups}
    assert found == {
        "not on the front (14)": 14,
        "misses a constraint (1)": 1,
        f"on the front ({len(FRONT)})": len(FRONT),
    }
    trials = {trial.config: trial for trial in sweep.search.trials}
    for trace in groups:
        assert len(trace["x"]) == len(trace["y"]) == len(trace["hovertext"])
        for lut, accuracy, hover in zip(trace["x"], trace["y"], trace["hovertext"], strict=True):
            trial = trials[re.search("<b>(.*)</b>", hover)[1]]
            assert (lut, accuracy) == (trial.figures["lut"], trial.figures["accuracy"])
            for path, value in trial.point.items():
                assert f"<br>{path}: {value}" in hover
            missed = "misses latency_ns&lt;=100"
            assert (missed in hover) == (trial.number == 22) == (missed[:6] in trace["name"])
    best = sorted(trials[f"trial{number}"].figures["lut"] for number in FRONT)
    assert line["x"] == best
    assert line["y"] == sorted(line["y"])
    assert plot["layout"]["xaxis"]["title"]["text"] == "LUT"
    assert plot["layout"]["yaxis"]["title"]["text"] == "accuracy RTL"
    assert [attrs for tag, attrs in page.tags if tag == "details"][-1] == {}  # closed
    text = to_html(sweep)
    (table,) = re.findall("<summary>Table of all trials.*?</details>", text, re.S)
    assert table.count('<th scope="row">') == 50
    assert "stopped early: too many EBOPs" in table


def test_the_table_of_trials():
    search = make_search()
    table = {entry.heading: entry for entry in trial_table(search, search.trials)}
    assert list(table) == [
        "trial",
        "result",
        "bits.hidden1.weights",
        "bits.hidden2",
        "recipe.1.prune.amount",
        "accuracy RTL",
        "LUT",
        "latency (ns)",
    ]
    row = {heading: entry.cells[22] for heading, entry in table.items()}
    assert row == {
        "trial": "22",
        "result": "misses latency_ns<=100",
        "bits.hidden1.weights": "6",
        "bits.hidden2": "binary",
        "recipe.1.prune.amount": "0.6",
        "accuracy RTL": "0.9361",
        "LUT": "8,300",
        "latency (ns)": "120.0",
    }
    results = table["result"].cells
    assert [number for number, text in enumerate(results) if "◆" in text] == list(FRONT)
    assert (results[0], results[17]) == ("completed", "failed")
    assert table["recipe.1.prune.amount"].values[:3] == (0.0, 0.1, 0.2)  # sorts as numbers
    assert table["bits.hidden2"].values is None
    assert (table["LUT"].cells[17], table["LUT"].values[17]) == ("", None)
    assert trial_table(search, []) == []


def test_a_table_of_trials_with_figures_of_two_targets_names_them():
    figures = {"lut": 10.0, "xc7.lut": 12.0, "accuracy_validation": 0.5}
    names = ["xc7.lut", "lut", "accuracy_validation"]
    search = make_search(objectives=names, trials=[make_trial(0, figures=figures, front=True)])
    headings = [entry.heading for entry in trial_table(search, search.trials)]
    assert headings == ["trial", "result", "xc7 LUT", "LUT", "accuracy validation"]


def found(objectives, *points):
    """A search of trials with these figures; those marked are on the front."""
    trials = [
        make_trial(i, figures=dict(zip(objectives, values, strict=True)), front=mark == "front")
        for i, (mark, *values) in enumerate(points)
    ]
    return make_search(objectives=objectives, constraints=[], trials=trials)


def test_what_costs_goes_across_and_the_line_goes_round_what_is_worse():
    plot = trial_plot(
        found(["lut", "accuracy"], ("front", 9, 0.8), ("front", 5, 0.7), ("", 9, 0.7))
    )
    line, others, best = plot["data"]
    assert (line["x"], line["y"], line["line"]["shape"]) == ([5, 9], [0.7, 0.8], "hv")
    assert (others["x"], others["text"]) == ([9], [""])
    assert best["text"] == ["0", "1"]
    assert plot["layout"]["yaxis"]["tickformat"] == ".3f"
    both_cost = trial_plot(found(["ebops", "lut"], ("front", 100, 5), ("front", 80, 9)))
    assert both_cost["data"][0]["x"] == [5, 9] and both_cost["data"][0]["line"]["shape"] == "hv"
    assert both_cost["layout"]["yaxis"]["tickformat"] == ","
    none_costs = trial_plot(found(["accuracy", "fps"], ("front", 0.8, 5), ("front", 0.7, 9)))
    assert none_costs["data"][0]["y"] == [0.8, 0.7]
    assert none_costs["data"][0]["line"]["shape"] == "vh"


def test_a_front_of_three_objectives_is_no_line():
    search = found(["accuracy", "lut", "ff"], ("front", 0.8, 5, 9), ("front", 0.7, 5, 2))
    (points,) = trial_plot(search)["data"]
    assert points["mode"] == "markers+text"
    page = to_html(make_found_sweep().model_copy(update={"search": search}))
    assert "The line joins the front" not in page
    assert "The front weighs accuracy, lut, ff" in page
    assert "The line joins the front" in to_html(make_found_sweep())


def test_trials_without_two_objectives_or_results_have_no_plot():
    dominated = make_trial(0, state="stopped", reason="a", figures={"accuracy": 1, "lut": 1})
    unknown = make_trial(1, figures={"lut": 1})
    for search in (
        found(["lut"], ("front", 5)),
        make_search(trials=[dominated, unknown]),
        make_search(trials=[]),
    ):
        assert trial_plot(search) is None
        page = Page(to_html(make_found_sweep().model_copy(update={"search": search})))
        assert "trials-0" not in {attrs.get("data-plot") for _, attrs in page.tags}
        assert ("Table of all trials" in page.text) == bool(search.trials)


def test_markdown_lists_all_of_few_trials_and_of_many_those_that_completed():
    trials = [make_trial(i, figures={"lut": i, "accuracy": 0.5}) for i in range(50)]
    for stopped, listed in ((10, 60), (11, 50)):
        more = [make_trial(50 + i, state="stopped", reason="dominated") for i in range(stopped)]
        search = make_search(trials=trials + more)
        text = to_markdown(make_found_sweep().model_copy(update={"search": search}))
        _, section = text.split("\n## Trials\n")
        assert len(re.findall(r"^\|", section, re.M)) == 2 + listed
        assert ("All 60 trials." in section) == (stopped == 10)
        assert ("50 of 61 trials: those that completed" in section) == (stopped == 11)
    assert "## Trials" not in to_markdown(make_sweep())


def test_a_long_value_is_cut_where_a_plot_shows_it_alone():
    recipe = "[" + ", ".join(f"{{train: {{epochs: {i}}}}}" for i in range(20)) + "]"
    figures = {"accuracy": 0.5, "lut": 1}
    search = make_search(trials=[make_trial(0, point={"recipe": recipe}, figures=figures)])
    (hover,) = trial_plot(search)["data"][1]["hovertext"]
    assert "recipe: [{train: {epochs: 0}}" in hover and hover.endswith("…")
    assert len(hover) < 150
    sweep = make_found_sweep().model_copy(update={"search": search})
    assert recipe in page_text(sweep)


def test_reports_without_steps_or_software_say_nothing_of_them():
    for text in views(make_sweep()):
        assert not re.search(r"(?i)\b(steps?|pruning|software|search|baselines?)\b", text)


def test_a_terminal_lists_the_steps_of_the_front_alone_where_there_are_many():
    fields = [make_recipe_fields(f"c{i}", accuracy=(90 - i) / 100) for i in range(12)]
    failures = [make_trial(i, state="failed", error="out of memory") for i in range(20)]
    sweep = SweepReport.model_validate(
        {"reports": fields, "search": make_search(trials=failures).model_dump()}
    )
    text = terminal(sweep)
    _, after = text.split("\nsteps\n")
    assert after.splitlines()[0] == "c0"
    assert "steps of 11 configurations off the front are on the page" in text
    assert text.count("out of memory") == 8 and "12 more failed" in text
    assert to_markdown(sweep).count("out of memory") == 20
    assert to_markdown(sweep).count("40 epochs") == 12


def test_long_settings_are_cut_on_a_terminal_alone():
    long = "bits: {" + ", ".join(f"layer{i}: 6" for i in range(40)) + "}"
    steps = RECIPE[0], RECIPE[1] | {"settings": long}
    plain = make_recipe_fields("plain", steps[:1])
    sweep = SweepReport.model_validate({"reports": [plain, make_recipe_fields("cut", steps)]})
    for width in (80, 200):
        text = re.sub(r"\x1b\[[\d;]*m", "", terminal(sweep, width=width, tty=True))
        assert text.count("layer3: 6, layer4: …") == 2
        assert "layer39" not in text
        assert max(map(len, text.splitlines())) <= width
    assert long in page_text(sweep)
    assert to_markdown(sweep).count("layer39: 6") == 2


def test_budgets_and_changes_in_every_view():
    sweep = make_sweep()
    verdicts = check_budgets(sweep, [parse_budget("lut=20000")])
    old = SweepReport(reports=(make_report("w6", (8, 6, 6)), make_report("gone")))
    options = {"verdicts": verdicts, "difference": compare(sweep, old)}
    views = terminal(sweep, **options), to_markdown(sweep, **options), to_html(sweep, **options)
    for text in views:
        assert "w8: xcup.lut is 26906, budget" in text
        assert "gone: removed" in text
        assert re.search(r"-\d+\.\d%", text)


def test_csv_names_every_figure_and_leaves_unknown_ones_empty(tmp_path):
    sweep = make_sweep()
    rows = list(csv.DictReader(io.StringIO(to_csv(sweep))))
    assert len(rows) == 7
    assert rows[1]["xcup.lut"] == "17572"
    assert rows[1]["xcup.dsp"] == "0"
    assert rows[1]["xcup.bram"] == rows[1]["xcup.fmax"] == ""
    assert [row["verification"] for row in rows] == ["pass"] * 6 + ["fail"]
    assert [row["xcup.front"] for row in rows] == ["yes"] * 6 + ["no"]
    assert write_csv(sweep, tmp_path / "r.csv") == [tmp_path / "r.csv"]
    assert (tmp_path / "r.csv").read_text() == to_csv(sweep)


def test_csv_of_steps_baselines_and_trials_stands_beside(tmp_path):
    sweep = make_found_sweep()
    names = ["r.csv", "r.steps.csv", "r.baselines.csv", "r.trials.csv"]
    assert write_csv(sweep, tmp_path / "r.csv") == [tmp_path / name for name in names]
    tables = [list(csv.DictReader(io.StringIO((tmp_path / name).read_text()))) for name in names]
    configs, steps, baselines, trials = tables
    assert [row["config"] for row in configs] == ["plain", "pruned"]
    assert [(row["config"], row["index"], row["name"]) for row in steps] == [
        ("plain", "0", "train"),
        ("plain", "1", "quantize"),
        ("pruned", "0", "train"),
        ("pruned", "1", "prune"),
        ("pruned", "2", "quantize"),
    ]
    assert steps[3]["weights_nonzero"] == "1360" and steps[3]["seconds"] == "3.25"
    assert [row["throughput"] for row in baselines] == ["80000.0", "640000.0", "160000.0", ""]
    assert baselines[3]["problem"] == "no such op"
    assert [int(row["number"]) for row in trials] == list(range(50))
    assert [int(row["number"]) for row in trials if row["front"] == "yes"] == list(FRONT)
    assert trials[17]["state"] == "failed" and trials[17]["error"] == "out of memory"
    assert trials[17]["lut"] == trials[17]["reason"] == ""
    assert trials[1]["reason"] == "training curve below the floor"
    for row, trial in zip(trials, make_search().trials, strict=True):
        assert {path: row[f"point.{path}"] for path in trial.point} == trial.point
        assert {name: float(row[name]) for name in trial.figures} == trial.figures


def test_markdown_tables_are_rectangular_and_escape_text(tmp_path):
    for sweep in (
        make_sweep(),
        evil_sweep(),
        streamed_sweep(),
        make_found_sweep(),
        make_sweep(targets=("xcup", "xc7")),
    ):
        text = to_markdown(sweep)
        tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
        assert len(tables) == 2 + sum(
            1 + bool(report.fifos) + bool(report.steps) for report in sweep.reports
        ) + 4 * bool(sweep.search)
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
        assert not re.search(r"(?<!\\)<", text)
    write_markdown(make_sweep(), tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text() == to_markdown(make_sweep())


def test_html_is_well_formed_and_asks_for_nothing():
    page = Page(to_html(make_sweep(targets=("xcup", "xc7"))))
    assert not page.stack
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if {"src", "href", "srcset"} & attrs.keys()]
    policies = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    plotly = page.unpacked("plotly")
    assert plotly == get_plotlyjs()
    own = page.scripts[None]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
               for text in (own, plotly)]  # fmt: skip
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digests[0]}' 'sha256-{digests[1]}'; img-src data: blob:"
    ]
    assert "</script" not in own and "<!--" not in own
    assert "url(" not in "".join(re.findall(r"<style>.*?</style>", to_html(make_sweep()), re.S))


def test_the_page_has_each_figure_with_its_declaration_and_origin():
    sweep = make_sweep()
    data = page_data_of(sweep)
    columns = {column["name"]: column for column in data["columns"]}
    assert columns["xcup.lut"]["values"] == [r.resources["xcup"].lut for r in sweep.reports]
    assert columns["xcup.lut"]["heading"] == "LUT" and columns["xcup.lut"]["better"] == "less"
    assert data["origins"][columns["xcup.lut"]["origins"]]["method"] == "synthesized"
    assert columns["clock"]["chosen"] and columns["clock"]["origins"] is None
    assert [row["config"] for row in data["rows"]] == [r.config.name for r in sweep.reports]
    assert [row["config"] for row in data["rows"] if row["state"] == "bad"] == ["mixed_bad"]
    assert not [row for row in data["rows"] if row["state"] == "bad" and row["eligible"]]
    layers = data["details"][0]["tables"][0]
    (lut,) = (column for column in layers["columns"] if column["heading"] == "LUT")
    assert lut["adds"] and sum(lut["values"]) == columns["xcup.lut"]["values"][0]


def test_what_matters_most_comes_first():
    fields = make_fields("w5") | make_fidelity()
    fields["provenance"]["groups"]["fidelity"] = {"method": "simulated", "tool": "tf-keras 2.21"}
    add_routed(fields)
    reports = make_streamed_report(), Report.model_validate(fields)
    failed = make_report("bad", mismatches=3)
    sweep = SweepReport(reports=tuple(
        report.model_copy(update={"model": failed.model}) for report in (*reports, failed)
    ))  # fmt: skip
    found = remarks(sweep, check_budgets(sweep, [parse_budget("lut=1")]))
    levels = [remark.level for remark in found]
    assert levels == sorted(levels, key=["failure", "warning", "note"].index)
    assert found[0].configs == ("bad",) and "first difference: layer 'fc2'" in found[0].text
    assert found[1].text == "ecp5-85k slack (ns) is -2.000, below the least allowed value of 0.000"
    assert ("warning", "look at fc1") in [(remark.level, remark.text) for remark in found]
    assert found[-1].text == "conv1: reuse factor moved from 7 to 9"


def test_pages_and_markdown_show_ranges():
    fields = make_fields()
    add_ranges(fields)
    sweep = SweepReport.model_validate({"reports": [fields]})
    row = r"fc1 \| result \| fixed\\?<8,4,RND,SAT\\?> \| -1\.5 \| 1\.5 \| 12\.0 % \| 2 \| 1 \|"
    assert re.search(row, to_markdown(sweep).replace("&lt;", "<").replace("&gt;", ">"))
    assert page_data_of(sweep)["details"][0]["ranges"]["bits"][0]["high"] == 2
    assert Report.model_validate_json(sweep.reports[0].to_json()) == sweep.reports[0]


def test_several_models_stand_in_one_page():
    other = make_fields("w6")
    other["model"]["name"] = "another"
    other["resources"] = {"ecp5": other["resources"]["xcup"]}
    other["provenance"]["groups"]["resources.ecp5"] = {"method": "vendor", "tool": "Tool"}
    models = [make_sweep(), SweepReport.model_validate({"reports": [other]})]
    page = Page(models_to_html([Judged(sweep) for sweep in models]))
    data = page.data()
    assert [model["name"] for model in data["models"]] == ["digits_mlp", "another"]
    assert [row["model"] for row in data["rows"]] == [0] * 7 + [1]
    (lut,) = (column for column in data["columns"] if column["name"] == "ecp5.lut")
    assert lut["values"][:7] == [None] * 7 and lut["heading"] == "ecp5 LUT"
    assert lut["origins"][:7] == [None] * 7


def test_html_shows_text_as_text():
    text = to_html(evil_sweep())
    page = Page(text)
    assert not page.stack
    assert "img" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "onerror" in attrs]
    assert EVIL in "".join(page.text)
    for plot in (json.loads(page.scripts["trials-0"]),):
        # Plotly takes tags and %{...} in its texts for markup.
        texts = [value for value in strings(plot) if "onerror" in value]
        assert not any("<img" in value or "</script" in value for value in texts)
        assert not any("%{x}" in value for trace in plot["data"]
                       for value in strings(trace.get("hovertemplate", ""))
                       if "onerror" in value)  # fmt: skip


def strings(value):
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_html_without_figures_has_no_plots_and_says_what_is_unknown():
    fields = make_fields(targets=())
    for part in ("accuracy", "verification", "timing", "compute"):
        del fields[part]
    fields["layers"] = []
    fields["provenance"]["groups"] = {}
    bare = Report.model_validate(fields)
    page = Page(to_html(SweepReport(reports=(bare,))))
    (row,) = json.loads(page.scripts["data"])["rows"]
    assert (row["state"], row["verdict"], row["eligible"]) == ("open", "not verified", True)
    assert "not verified" in "".join(page.text)
    assert terminal(SweepReport(reports=(bare,)))
    assert to_markdown(SweepReport(reports=(bare,)))


def test_a_figure_known_to_some_is_marked_unknown_for_the_others():
    fields = make_fields("w5")
    fields["resources"]["xcup"]["bram"] = 1.5
    sweep = SweepReport(reports=(make_report("w6"), Report.model_validate(fields)))
    (bram,) = (c for c in page_data_of(sweep)["columns"] if c["name"] == "xcup.bram")
    assert bram["values"] == [None, 1.5] and bram["origins"][0] is None
    assert 'class="number unknown"><' in to_html(sweep)


def test_a_figure_of_another_origin_than_most_is_marked():
    fields = make_fields("guess")
    fields["provenance"]["groups"]["resources.xcup"] = {"method": "estimated", "tool": "Guesser"}
    odd = Report.model_validate(fields)
    sweep = SweepReport(reports=(odd, make_report("w6"), make_report("w4", (4, 4, 4))))
    data = page_data_of(sweep)
    (lut,) = (column for column in data["columns"] if column["name"] == "xcup.lut")
    methods = [data["origins"][index]["method"] for index in lut["origins"]]
    assert methods == ["estimated", "synthesized", "synthesized"]
    assert "but estimated · Guesser [guess]" in page_text(sweep)
    assert "but estimated · Guesser [guess]" in terminal(sweep)


def test_same_reports_same_bytes(tmp_path):
    write_html([Judged(make_sweep())], tmp_path / "a" / "index.html")
    write_html([Judged(make_sweep())], tmp_path / "b.html")
    first = (tmp_path / "a" / "index.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes()
    assert len(first) < 2_500_000


def test_the_page_starts_with_the_target_that_most_configurations_are_known_on():
    few = make_fields("also")
    few["resources"]["agilex"] = few["resources"]["xcup"]
    few["provenance"]["groups"]["resources.agilex"] = {"method": "vendor", "tool": "Tool"}
    sweep = SweepReport(reports=(*make_sweep().reports, Report.model_validate(few)))
    (model,) = page_data([Judged(sweep)])["models"]
    across = [front["across"] for front in model["fronts"]]
    assert across[-1] == "agilex.lut"
    assert "xcup.lut" in across
