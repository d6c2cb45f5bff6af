"""Whether a device holds a design: what reports and `synth` say of it."""

import pytest
from made_up import make_fields

from gatewright.capacity import fit_text
from gatewright.report.attention import remarks
from gatewright.report.budget import check_budgets, parse_budgets
from gatewright.report.capacity import over_capacity
from gatewright.report.schema import Report, SweepReport
from gatewright.results.utilization import Resources
from gatewright.targets import load_target


@pytest.mark.parametrize(
    ("target", "used", "said"),
    [
        (
            "ecp5-25k",
            Resources(lut=31000, ff=100, dsp=0, bram=2.0),
            "needs 128 % of the LUTs of LFE5U-25F; LFE5U-45F is the smallest listed part that fits",
        ),
        (
            "ecp5-25k",  # 56 blocks of 18 Kb are 28 of 36 Kb
            Resources(lut=31000, ff=100, dsp=100, bram=28.5),
            "needs 128 % of the LUTs, 358 % of the DSP blocks, 102 % of the block RAM of "
            "LFE5U-25F; LFE5U-85F is the smallest listed part that fits",
        ),
        ("ecp5-25k", Resources(lut=2429, bram=28.0), "needs 100 % of the block RAM of LFE5U-25F"),
        (
            "ecp5",
            Resources(lut=30000, ff=100),
            "LFE5U-45F is the smallest listed part that fits: needs 69 % of the LUTs of LFE5U-45F",
        ),
        (
            "ice40-hx8k",
            Resources(lut=10, dsp=1),
            "needs DSP blocks (none) of iCE40HX8K; it fits no listed part",
        ),
        ("xcku040", Resources(lut=121200), "needs 50 % of the LUTs of xcku040"),
    ],
)
def test_what_a_device_has_of_a_design_is_said(target, used, said):
    assert fit_text(load_target(target), used) == said


def report_of(**resources: dict[str, float]) -> Report:
    fields = make_fields("w8")
    groups = fields["provenance"]["groups"]
    origin = next(groups[name] for name in groups if name.startswith("resources."))
    groups |= {f"resources.{target}": origin for target in resources}
    fields["resources"] = resources
    return Report.model_validate(fields)


def test_a_report_warns_of_a_device_that_is_too_small():
    small = {"lut": 100, "ff": 100}
    large = {"lut": 50_000, "ff": 100}
    report = report_of(**{"ecp5-25k": large, "ecp5-45k": small, "ecp5": large, "mine": large})
    (text,) = over_capacity(report)
    assert text.startswith("ecp5-25k: needs 206 % of the LUTs of LFE5U-25F; LFE5U-85F is")
    warnings = [r for r in remarks(SweepReport(reports=(report,))) if r.level == "warning"]
    assert text in [remark.text for remark in warnings]


def test_a_budget_of_a_part_holds_for_reports_of_its_sisters():
    """What is mapped for one device of a fabric is what is mapped for another."""
    sweep = SweepReport(reports=(report_of(**{"ecp5-85k": {"lut": 30_000, "ff": 1}}),))
    verdicts = {v.figure: v.ok for v in check_budgets(sweep, parse_budgets("fits=ecp5-25k"))}
    assert verdicts["ecp5-85k.lut"] is False
    assert verdicts["ecp5-85k.ff"] is True
