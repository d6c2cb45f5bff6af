"""Reading report files gives one clear line on failure; writing is all or nothing."""

import json
from pathlib import Path

import pytest
from made_up import make_fields, make_found_sweep, make_report, make_sweep

from gatewright.errors import InputError
from gatewright.report.csv import to_csv
from gatewright.report.html import to_html
from gatewright.report.markdown import to_markdown
from gatewright.report.report_files import load_reports, write_json, write_report


def test_a_project_a_file_a_sweep_file_and_a_directory_of_configurations(tmp_path):
    sweep = make_sweep()
    for report in sweep.reports:
        write_report(report, tmp_path / report.config.name)
    write_json(sweep, tmp_path / "report" / "report.json")
    assert load_reports([tmp_path / "w6"]).reports == (sweep.reports[1],)
    assert load_reports([tmp_path / "w6" / "report.json"]).reports == (sweep.reports[1],)
    assert load_reports([tmp_path / "report"]) == sweep
    names = [report.config.name for report in load_reports([tmp_path]).reports]
    assert names == ["mixed", "mixed_bad", "w3", "w4", "w6", "w8", "w8_dsp"]
    pair = load_reports([tmp_path / "w8", tmp_path / "w6"])
    assert [report.config.name for report in pair.reports] == ["w8", "w6"]


def test_baselines_and_the_search_come_with_the_sweep_that_they_are_of(tmp_path):
    sweep = make_found_sweep()
    write_json(sweep, tmp_path / "report" / "report.json")
    assert load_reports([tmp_path]) == load_reports([tmp_path / "report"]) == sweep
    for report in sweep.reports:
        write_report(report, tmp_path / report.config.name)
    assert load_reports([tmp_path]) == sweep
    write_report(make_report("later"), tmp_path / "later")
    more = load_reports([tmp_path])
    assert len(more.reports) == 3
    assert (more.baselines, more.search) == (sweep.baselines, None)


def test_two_searches_are_refused(tmp_path):
    first = make_found_sweep()
    write_json(first, tmp_path / "a.json")
    named = [
        report.model_copy(update={"config": report.config.model_copy(update={"name": str(i)})})
        for i, report in enumerate(first.reports)
    ]
    write_json(first.model_copy(update={"reports": tuple(named)}), tmp_path / "b.json")
    with pytest.raises(InputError, match=r"b\.json: from another search than .*a\.json"):
        load_reports([tmp_path / "a.json", tmp_path / "b.json"])


PUBLISHED = sorted((Path(__file__).parents[2] / "reports").glob("*/report.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_reports_can_be_read_and_viewed(path):
    sweep = load_reports([path])
    assert all(view(sweep) for view in (to_csv, to_html, to_markdown))


def test_configurations_come_in_natural_order(tmp_path):
    for name in ("w10", "w4", "w9"):
        write_report(make_report(name), tmp_path / name)
    names = [report.config.name for report in load_reports([tmp_path]).reports]
    assert names == ["w4", "w9", "w10"]


def unknown_field():
    return json.dumps({**make_fields(), "luts": 3})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a Gatewright report"),
        ("{", "not a Gatewright report"),
        ("[1]", "no JSON object"),
        ('{"version": 2}', "schema version 2, but 1 is known"),
        ("{}", "schema version None"),
        (unknown_field(), "luts: is not a known key"),
        ("[" * 100_000, "not a Gatewright report"),
        ("\xff", "not a Gatewright report"),
    ],
)
def test_a_bad_file_gets_one_line(tmp_path, text, message):
    path = tmp_path / "report.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        load_reports([path])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_paths_and_empty_directories(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_reports([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"no report\.json here"):
        load_reports([tmp_path])
    with pytest.raises(InputError, match="no report given"):
        load_reports([])


def test_a_configuration_for_two_targets_is_told_apart_by_them(tmp_path):
    for folder, name, target in (
        ("a", "w6", "xcup"), ("b", "w6", "ecp5-85k"), ("c", "w4", "xcup"), ("d", "w6", "xcup"),
    ):  # fmt: skip
        fields = make_fields(name)
        fields["config"]["target"] = target
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "report.json").write_text(json.dumps(fields))
    sweep = load_reports([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert [report.config.name for report in sweep.reports] == ["w6@xcup", "w6@ecp5-85k", "w4"]
    with pytest.raises(InputError, match="'w6@xcup' is also in"):
        load_reports([tmp_path / "a", tmp_path / "b", tmp_path / "d"])


def test_two_models_or_one_configuration_twice(tmp_path):
    write_report(make_report("w6"), tmp_path / "a")
    write_report(make_report("w6"), tmp_path / "b")
    with pytest.raises(InputError, match=r"b.*'w6' is also in .*a"):
        load_reports([tmp_path / "a", tmp_path / "b"])
    other = make_fields("w4")
    other["model"]["name"] = "wine_mlp"
    (tmp_path / "c.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"'wine_mlp'.*'digits_mlp'"):
        load_reports([tmp_path / "a", tmp_path / "c.json"])
    with pytest.raises(InputError, match="'w6' is also in"):
        load_reports([tmp_path / "a", tmp_path / "a"])
