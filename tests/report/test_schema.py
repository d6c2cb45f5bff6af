"""The schema refuses what is not a report, and prints the same bytes for the same figures."""

import json
from typing import get_args

import numpy as np
import pytest
from made_up import make_fields, make_report, make_sweep
from pydantic import BaseModel, ValidationError

from gatewright.report import schema
from gatewright.report.schema import Report, Resources, SweepReport

PARTS = [
    part
    for part in vars(schema).values()
    if isinstance(part, type) and issubclass(part, BaseModel) and part.__module__ == schema.__name__
]
UNITS = ("number", "fraction", "bits", "cycles", "ns", "MHz", "um^2", "pJ", "in s", "36 Kb",
         "elements", "Index", "2^-fractional")  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_number_states_its_unit(part):
    for name, field in part.model_fields.items():
        kinds = {field.annotation, *get_args(field.annotation)}
        if kinds & {int, float}:
            assert any(unit in (field.description or "") for unit in UNITS), name


def test_json_round_trips():
    for whole in (make_report(), make_sweep()):
        assert type(whole).model_validate_json(whole.to_json()) == whole


def test_unknown_figures_are_absent_from_json():
    fields = json.loads(make_report().to_json())
    assert "fmax_mhz" not in fields["timing"]
    assert "bram" not in fields["resources"]["xcup"]
    assert fields["resources"]["xcup"]["dsp"] == 0
    assert "null" not in make_report().to_json()


def test_json_does_not_depend_on_the_order_of_keys_or_on_wall_times():
    fields = make_fields(targets=("xcup", "xc7"))
    shuffled = make_fields(targets=("xc7", "xcup"))
    shuffled["provenance"]["groups"] = dict(reversed(shuffled["provenance"]["groups"].items()))
    slower = make_fields(targets=("xcup", "xc7"))
    slower["provenance"]["seconds"] = {"convert": 99.0}
    first, second, third = (Report.model_validate(f) for f in (fields, shuffled, slower))
    assert first.to_json() == second.to_json()
    assert first.to_json() != third.to_json()
    assert first.to_json(wall_times=False) == third.to_json(wall_times=False)
    both = [SweepReport(reports=(report,)) for report in (first, third)]
    assert both[0].to_json(wall_times=False) == both[1].to_json(wall_times=False)


def spoil(path, value):
    fields = make_fields()
    part = fields
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return fields


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("luts",), 3),
        (("timing", "latency"), 3),
        (("resources", "xcup", "lut"), -1),
        (("resources", "xcup", "lut"), 1.5),
        (("resources", "xcup", "lut"), True),
        (("resources", "xcup", "lut"), "12"),
        (("timing", "clock_ns"), 0),
        (("timing", "slack_ns"), float("nan")),
        (("timing", "latency_min"), 99),
        (("accuracy", "rtl"), 96.1),
        (("verification", "mismatches"), 10_001),
        (("verification", "first_difference"), {"layer": "fc1", "vector": 0, "element": 0,
                                                "expected": 1, "got": 2}),
        (("layers", 0, "weights_nonzero"), 10**6),
        (("layers", 1, "name"), "fc1"),
        (("config", "io"), "parallel"),
        (("provenance", "groups", "compute", "method"), "guessed"),
        (("version",), 2),
    ],
)  # fmt: skip
def test_what_is_not_a_report_is_refused(path, value):
    with pytest.raises(ValidationError):
        Report.model_validate(spoil(path, value))


def test_a_figure_without_an_origin_is_refused():
    for group in make_report().groups:
        fields = make_fields()
        del fields["provenance"]["groups"][group]
        with pytest.raises(ValidationError, match=group):
            Report.model_validate(fields)


def test_numpy_numbers_are_numbers():
    resources = Resources(lut=np.int64(7), bram=np.float32(0.5))
    assert resources.model_dump_json(exclude_none=True) == '{"lut":7,"bram":0.5}'


def test_verdict():
    assert make_report().passed is True
    assert make_report().verdict == "bit-exact, 10,000 vectors"
    assert make_report(mismatches=3).passed is False
    fields = make_fields()
    fields["verification"]["layers"][2]["mismatches"] = 5
    layer_fails = Report.model_validate(fields)
    assert layer_fails.passed is False
    assert layer_fails.verdict == "FAILED, 5 of 1,000 vectors differ"
    fields = make_fields()
    fields["verification"].update(vectors=0, layers=[])
    assert Report.model_validate(fields).passed is None
    del fields["verification"]
    assert Report.model_validate(fields).verdict == "not verified"


def test_a_sweep_holds_one_model_and_each_configuration_once():
    with pytest.raises(ValidationError, match="'w6' stands twice"):
        SweepReport(reports=(make_report("w6"), make_report("w6")))
    other = make_fields("w4")
    other["model"]["name"] = "wine_mlp"
    with pytest.raises(ValidationError, match="several models"):
        SweepReport(reports=(make_report("w6"), Report.model_validate(other)))
