"""Comparison of two sweeps."""

import pytest
from made_up import make_fields, make_report

from gatewright.errors import InputError
from gatewright.report.diff import compare
from gatewright.report.figures import columns
from gatewright.report.schema import Report, SweepReport


def sweep(*reports):
    return SweepReport(reports=reports)


def changed(path, value):
    fields = make_fields()
    part = fields
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return Report.model_validate(fields)


def test_equal_reports_have_no_changes():
    difference = compare(sweep(make_report()), sweep(make_report()))
    known = [column for column in columns(sweep(make_report())) if column.known]
    assert not difference.changes
    assert difference.unchanged == len(known)
    assert difference.remarks() == [f"{len(known)} figures unchanged"]


@pytest.mark.parametrize(
    ("path", "value", "name", "percent", "better"),
    [
        (("resources", "xcup", "lut"), 8786, "xcup.lut", -50.0, True),
        (("resources", "xcup", "lut"), 35144, "xcup.lut", 100.0, False),
        (("accuracy", "rtl"), 1.0, "accuracy", 100 * (1 / 0.9611 - 1), True),
        (("timing", "latency_last_max"), 20, "latency_last", None, None),
        (("resources", "xcup", "dsp"), 4, "xcup.dsp", None, False),
        (("resources", "xcup", "carry"), None, "xcup.carry", None, None),
        (("resources", "xcup", "bram"), 2.0, "xcup.bram", None, None),
    ],
)
def test_one_figure(path, value, name, percent, better):
    (change,) = compare(sweep(changed(path, value)), sweep(make_report())).changes
    assert change.quantity.name == name
    assert change.percent == (percent if percent is None else pytest.approx(percent))
    assert change.better is better


def test_a_longer_interval_is_fewer_tensors_a_second():
    new = sweep(changed(("timing", "ii"), 2))
    interval, rate = compare(new, sweep(make_report())).changes
    assert (interval.quantity.name, interval.percent, interval.better) == ("ii", 100.0, False)
    assert (rate.quantity.name, rate.percent, rate.better) == ("fps", -50.0, False)
    assert rate.format() == ("200,000,000", "100,000,000", "-50.0%")


def test_another_tool_version_is_a_change_though_the_figure_is_equal():
    new = changed(("provenance", "groups", "resources.xcup"),
                  {"method": "synthesized", "tool": "Yosys", "version": "0.71"})  # fmt: skip
    changes = compare(sweep(new), sweep(make_report())).changes
    assert {change.quantity.name for change in changes} == {
        "xcup.lut", "xcup.ff", "xcup.dsp", "xcup.carry"}  # fmt: skip
    assert all("Yosys 0.70" in change.note and "Yosys 0.71" in change.note for change in changes)


def test_configurations_and_verification_that_changed():
    new = sweep(make_report("w6", mismatches=3), make_report("w4"))
    difference = compare(new, sweep(make_report("w8"), make_report("w6")))
    assert difference.remarks()[:3] == [
        "w6: was bit-exact, 10,000 vectors, is FAILED, 3 of 10,000 vectors differ",
        "w4: new, not in the older report",
        "w8: removed",
    ]
    (change,) = difference.changes
    assert (change.quantity.name, change.better) == ("mismatches", False)


def test_two_models_do_not_compare():
    other = make_fields()
    other["model"]["name"] = "wine_mlp"
    with pytest.raises(InputError, match=r"'digits_mlp'.*'wine_mlp'"):
        compare(sweep(make_report()), sweep(Report.model_validate(other)))
