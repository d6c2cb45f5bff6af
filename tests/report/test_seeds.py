"""Figures over seeds are means of what every seed gave, and absent where one seed lacks them."""

from statistics import fmean, stdev

import pytest
from made_up import make_fields
from pydantic import ValidationError

from gatewright.report.html import to_html
from gatewright.report.markdown import to_markdown
from gatewright.report.schema import Report, SweepReport
from gatewright.report.seeds import seed_table

QUANTIZED = [0.95, 0.93, 0.96]
FLOAT = [0.96, 0.95, 0.97]
LUT = [1000, 1300, 1100]


def repeated():
    fields = make_fields(accuracy=QUANTIZED[0])
    fields["training_seed"] = 1
    fields["accuracy"] |= {"float_model": FLOAT[0], "quantized": QUANTIZED[0]}
    fields["resources"]["xcup"] |= {"lut": LUT[0], "dsp": 0}
    vectors = fields["verification"]["vectors"]
    fields["repetitions"] = [
        {
            "seed": 1 + i,
            "accuracy": {"samples": 450, "float_model": FLOAT[i], "quantized": QUANTIZED[i]},
            "verification": {"vectors": vectors, "mismatches": 0},
            "resources": {"xcup": {"lut": LUT[i], "dsp": 0}},
        }
        for i in (1, 2)
    ]
    return fields


def cells(*fields):
    table = seed_table(SweepReport.model_validate({"reports": fields}))
    return {entry.heading: entry.cells for entry in table}


def test_means_over_seeds():
    fields = repeated()
    table = cells(fields, make_fields("once"))
    vectors = fields["verification"]["vectors"]
    assert table["config"] == ("w6",)
    assert table["seeds"] == ("3",)
    assert table["vectors differing"] == (f"0 of {3 * vectors:,}",)
    assert table["accuracy float"] == (f"{fmean(FLOAT):.4f} ± {stdev(FLOAT):.4f}",)
    assert table["accuracy quantized"] == (f"{fmean(QUANTIZED):.4f} ± {stdev(QUANTIZED):.4f}",)
    assert table["change"] == (f"{fmean(QUANTIZED) - fmean(FLOAT):+.4f}",)
    assert [table[f"LUT {what}"] for what in ("mean", "least", "most")] == [
        ("1,133",),
        ("1,000",),
        ("1,300",),
    ]
    assert not [heading for heading in table if heading.startswith("DSP")]  # none of them has any


def test_a_figure_that_one_seed_lacks_is_absent():
    fields = repeated()
    del fields["repetitions"][1]["accuracy"]["quantized"]
    del fields["repetitions"][0]["resources"]["xcup"]["lut"]
    table = cells(fields)
    assert not {"accuracy quantized", "change", "LUT mean"} & set(table)
    assert "accuracy float" in table


def test_mismatches_of_any_seed_count():
    fields = repeated()
    fields["repetitions"][0]["verification"]["mismatches"] = 4
    (differing,) = cells(fields)["vectors differing"]
    assert differing.startswith("4 of ")


def test_no_table_without_repetitions():
    assert cells(make_fields()) == {}


def test_a_seed_counts_once():
    fields = repeated()
    fields["repetitions"][0]["seed"] = 1
    with pytest.raises(ValidationError, match="seed '1' occurs twice"):
        Report.model_validate(fields)


def test_views_have_the_table():
    sweep = SweepReport.model_validate({"reports": [repeated()]})
    assert "Other seeds" in to_html(sweep)
    assert "## Other seeds" in to_markdown(sweep)
    assert "Other seeds" not in to_html(SweepReport.model_validate({"reports": [make_fields()]}))
