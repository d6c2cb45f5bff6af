"""Budgets: what they mean, and that an unknown figure never meets one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import make_report, make_streamed_report, make_sweep

from gatewright.errors import InputError
from gatewright.report.budget import check_budgets, parse_budget, parse_budgets
from gatewright.report.figures import FIGURES
from gatewright.report.schema import SweepReport
from gatewright.targets import Part, load_target, target_names


def check(text, *reports):
    return check_budgets(SweepReport(reports=reports), [parse_budget(text)])


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("latency=10", True),
        ("latency=9", False),
        ("latency<=10", True),
        ("latency>=11", False),
        ("accuracy=0.9611", True),
        ("accuracy=0.97", False),
        ("accuracy>=0.95", True),
        ("accuracy<=0.95", False),
        (" ii = 1 ", True),
        ("lut=1e6", True),
        ("xcup.dsp=0", True),
        ("mismatches=0", True),
        ("vectors=10000", True),
        ("sparsity=0.99", False),
    ],
)
def test_one_report(text, ok):
    (verdict,) = check(text, make_report())
    assert verdict.ok is ok


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("fps=22954", True),
        ("fps=22955", False),
        ("fps<=22955", True),
        ("ii=8713", True),
        ("ii=8712", False),
        ("latency=9612", True),
        ("latency_last=9622", True),
        ("latency_last=9621", False),
    ],
)
def test_one_streamed_report(text, ok):
    (verdict,) = check(text, make_streamed_report())
    assert verdict.ok is ok


def test_the_latency_of_the_last_beat_is_unknown_where_it_was_not_watched():
    (verdict,) = check("latency_last=99999", make_report())
    assert (verdict.ok, verdict.actual) == (False, None)


@pytest.mark.parametrize("text", ["fmax=1", "fmax<=1000", "bram=9", "xc7.lut=99999999", "slack=-9"])
def test_an_unknown_figure_misses_its_budget_and_says_so(text):
    (verdict,) = check(text, make_report())
    assert not verdict.ok
    assert verdict.actual is None
    assert "not known" in str(verdict)


def test_no_resources_at_all_misses_the_budget():
    report = make_report(targets=())
    (verdict,) = check("lut=99999999", report)
    assert (verdict.ok, verdict.figure, verdict.actual) == (False, "lut", None)


def test_a_resource_is_limited_on_every_target_unless_one_is_named():
    report = make_report(targets=("xcup", "xc7"))
    assert [v.figure for v in check("lut=1", report)] == ["xc7.lut", "xcup.lut"]
    assert [v.figure for v in check("xc7.lut=1", report)] == ["xc7.lut"]


def test_every_configuration_is_held_to_every_budget():
    verdicts = check_budgets(make_sweep(), [parse_budget("lut=17000"), parse_budget("ii=1")])
    missed = [verdict.config for verdict in verdicts if not verdict.ok]
    assert len(verdicts) == 14
    assert missed == ["w8", "w6", "w8_dsp"]
    assert str(verdicts[0]).endswith("budget <= 17000: missed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lut", "write it as FIGURE=LIMIT"),
        ("", "write it as FIGURE=LIMIT"),
        ("lut<5", "write it as FIGURE=LIMIT"),
        ("=5", "write it as FIGURE=LIMIT"),
        ("luts=5", "no figure 'luts'; choose from accuracy_float"),
        ("lut=", "not a number"),
        ("lut=many", "'many' is not a number"),
        ("lut=nan", "not a number"),
        ("lut=inf", "not a number"),
        ("xcup.latency=5", "does not depend on a target"),
        (".lut=5", "no target before the point"),
    ],
)
def test_bad_budgets(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_budget(text)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_parses_or_is_an_input_error(text):
    try:
        budget = parse_budget(text)
    except InputError:
        return
    assert budget.quantity.figure in FIGURES.values()


def test_a_part_limits_every_resource_on_its_target():
    budgets = {budget.quantity.name: budget for budget in parse_budgets("fits=xc7z020")}
    assert {name: budget.limit for name, budget in budgets.items()} == {
        "xc7.lut": 53200,
        "xc7.ff": 106400,
        "xc7.dsp": 220,
        "xc7.bram": 140,
        "xc7.uram": 0,
    }
    assert {budget.relation for budget in budgets.values()} == {"<="}
    assert [one.quantity.name for one in parse_budgets("lut=5")] == ["lut"]


def test_a_report_on_another_target_does_not_fit():
    verdicts = check_budgets(SweepReport(reports=(make_report(),)), parse_budgets("fits=xc7z020"))
    assert not any(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fits", "write it as fits=PART"),
        ("fits=xc7a1", "part 'xc7a1' is not known; choose from .*xc7a100t, "),
    ],
)
def test_what_is_no_part_is_refused(text, problem):
    with pytest.raises(InputError, match=problem):
        parse_budgets(text)


def test_a_part_limits_only_what_its_family_counts(monkeypatch):
    part = Part(lut=10, ff=20, dsp=0, bram=4)
    small = replace(load_target("ecp5"), name="small", parts={"tiny": part})
    monkeypatch.setattr("gatewright.report.budget.find_part", lambda _: small)
    names = [budget.quantity.name for budget in parse_budgets("fits=tiny")]
    assert names == ["small.lut", "small.ff", "small.dsp", "small.bram"]
    # Blocks of 18 Kb are halves of what reports count.
    assert parse_budgets("fits=tiny")[-1].limit == 2


def test_parts_are_of_one_target_each():
    parts = [part for target in target_names() for part in load_target(target).parts]
    assert len(parts) == len(set(parts)) > 0
