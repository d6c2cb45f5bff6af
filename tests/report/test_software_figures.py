"""Gains over software are against the fastest way to run it, and of known figures alone."""

import pytest
from made_up import make_baseline, make_fields, make_report, make_streamed_fields

from gatewright.report.schema import SweepReport
from gatewright.report.software_tables import (
    baseline_methods,
    baseline_table,
    fastest,
    gain_table,
    problems,
)

BASELINES = [
    make_baseline(us=4.0),
    make_baseline(us=2.5, threads=2),
    make_baseline(us=256.0, batch=256),
    make_baseline(us=128.0, batch=256, threads=2, method="otherwise"),
    make_baseline("int8", us=300.0, batch=256),
    {"runtime": "TensorFlow Lite", "version": "2.21.0", "model": "int4", "problem": "no such op"},
]


def make_sweep(*fields):
    return SweepReport.model_validate({"reports": fields, "baselines": BASELINES})


def cells(table):
    return {entry.heading: entry.cells for entry in table}


def test_the_fastest_way_to_run_a_model():
    sweep = make_sweep(make_fields())
    assert fastest(sweep, "float32") == (2.5, 2e6)
    assert fastest(sweep, "int8") == (None, pytest.approx(256 / 300e-6))


def test_gains_in_latency_and_throughput():
    """10 cycles of 5 ns are 50 ns; a result per cycle is 200 million a second."""
    fields = make_fields()
    fields["timing"].update(latency_max=10, ii=1)
    assert cells(gain_table(make_sweep(fields))) == {
        "config": ("w6",),
        "latency (µs)": ("0.05",),
        "inferences per second": ("200,000,000",),
        "latency gain (over float32)": ("50",),
        "throughput gain (over float32)": ("100",),
        "throughput gain (over int8)": ("234",),
    }


def test_latency_is_that_of_a_whole_result():
    fields = make_streamed_fields()
    fields["timing"] |= {"latency_max": 9612, "latency_last_max": 10_000}
    table = cells(gain_table(make_sweep(fields)))
    assert table["latency (µs)"] == ("50",)
    assert table["latency gain (over float32)"] == ("0.05",)
    fields["timing"]["latency_last_max"] = None
    fields["ports"][1] |= {"lanes": 1, "beats": 10}
    assert gain_table(make_sweep(fields)) == []


def test_no_gain_of_what_is_not_known():
    fields = make_fields()
    del fields["timing"]
    assert gain_table(make_sweep(fields)) == []
    assert gain_table(SweepReport(reports=(make_report(),))) == []
    timed = make_fields("timed")
    assert cells(gain_table(make_sweep(fields, timed)))["config"] == ("timed",)


def test_baselines_as_they_were_measured():
    table = cells(baseline_table(make_sweep(make_fields())))
    assert table["model"] == ("float32",) * 4 + ("int8",)
    assert set(table["kernels"]) == {"built-in kernels"}
    assert table["batch"] == ("1", "1", "256", "256", "256")
    assert table["inferences per second"] == (
        "250,000", "400,000", "1,000,000", "2,000,000", "853,300",
    )  # fmt: skip
    assert table["p95 (µs)"][0] == "8"


def test_how_a_baseline_was_come_by_and_what_has_none():
    sweep = make_sweep(make_fields())
    assert baseline_methods(sweep) == [
        ("float32 · TensorFlow Lite 2.21.0", "the float network"),
        ("int8 · TensorFlow Lite 2.21.0", "the float network"),
        ("measured · TensorFlow Lite 2.21.0", "on Invented Processor 9000; invented"),
        ("measured · TensorFlow Lite 2.21.0", "on Invented Processor 9000; otherwise"),
    ]
    assert problems(sweep) == ["int4 on TensorFlow Lite 2.21.0: no such op"]
