"""The figure of HGQ2 beside QKeras: what published reports say, if they can be compared."""

import math
import re
from statistics import fmean, stdev

import pytest
from benchmarks import fronts
from made_up import make_fields

from gatewright.errors import InputError
from gatewright.report.report_files import load_reports, write_json
from gatewright.report.schema import SweepReport


def fields_of(name, accuracy, lut, seeds=(), clock=5.0):
    fields = make_fields(name, accuracy=accuracy)
    fields["training_seed"] = 1
    fields["timing"]["clock_ns"] = clock
    fields["resources"]["xcup"]["lut"] = lut
    if seeds:
        fields["repetitions"] = [
            {
                "seed": 2 + i,
                "accuracy": {"samples": 360, "quantized": reached, "rtl": reached},
                "verification": {"vectors": 10_000, "mismatches": 0},
                "resources": {"xcup": {"lut": count}},
            }
            for i, (reached, count) in enumerate(seeds)
        ]
    return fields


def written(place, *fields):
    place.mkdir()
    write_json(SweepReport.model_validate({"reports": fields}), place / "report.json")
    return place


@pytest.fixture
def two(tmp_path):
    searched = written(
        tmp_path / "searched",
        fields_of("big", 0.97, 2000, [(0.96, 2100), (0.95, 2200)]),
        fields_of("small_one", 0.93, 500, [(0.92, 400), (0.94, 600)]),
    )
    chosen = written(tmp_path / "chosen", fields_of("wide", 0.975, 4000))
    return [("searched", searched), ("A & B", chosen)]


def test_a_point_is_the_mean_over_seeds(tmp_path, two):
    fronts.write(tmp_path / "out", "Two", two)
    page = (tmp_path / "out.md").read_text()
    spread = stdev([0.97, 0.96, 0.95])
    assert "![Accuracy against LUTs](out.svg)" in page
    rows = [line for line in page.splitlines() if line.startswith("| ") and "config" not in line][
        1:
    ]
    assert rows == [
        r"| searched | small\_one | 3 | 0.9300 ± 0.0100 | 500 (400 to 600) |",
        f"| searched | big | 3 | {fmean([0.97, 0.96, 0.95]):.4f} ± {spread:.4f} "
        "| 2,100 (2,000 to 2,200) |",
        "| A & B | wide | 1 | 0.9750 | 4,000 |",
    ]


def test_marks_are_where_the_figures_are(tmp_path, two):
    fronts.write(tmp_path / "out", "Two", two)
    figure = (tmp_path / "out.svg").read_text()
    assert "A &amp; B: wide" in figure
    circle = r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>searched: (\w+)</title>'
    places = {name: (float(x), float(y)) for x, y, name in re.findall(circle, figure)}
    (wide,) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>A &amp; B: wide', figure)
    places["wide"] = tuple(map(float, wide))
    x, y = ({name: place[axis] for name, place in places.items()} for axis in (0, 1))
    # LUTs by their logarithm, from 500 over 2,100 to 4,000; accuracy upwards, 0.93, 0.96, 0.975.
    assert (x["big"] - x["small_one"]) / (x["wide"] - x["small_one"]) == pytest.approx(
        math.log(4.2) / math.log(8), abs=1e-3
    )
    assert (y["small_one"] - y["big"]) / (y["small_one"] - y["wide"]) == pytest.approx(
        0.03 / 0.045, abs=1e-3
    )
    assert figure.count("<polyline") == 1  # only what has several seeds is joined


def not_exact(fields):
    fields["verification"]["mismatches"] = 3


def not_verified(fields):
    del fields["accuracy"]["rtl"]


def not_synthesized(fields):
    del fields["repetitions"][0]["resources"]["xcup"]["lut"]


@pytest.mark.parametrize("change", [not_exact, not_verified, not_synthesized])
def test_what_is_not_known_is_refused(tmp_path, change):
    fields = fields_of("big", 0.97, 2000, [(0.96, 2100)])
    change(fields)
    with pytest.raises(InputError, match="big: not verified, or not synthesized"):
        fronts.read("one", written(tmp_path / "one", fields))


def test_other_clocks_are_refused(tmp_path, two):
    other = written(tmp_path / "other", fields_of("fast", 0.97, 2000, clock=4.0))
    with pytest.raises(InputError, match="differ in target, clock or test set"):
        fronts.write(tmp_path / "out", "Two", [*two, ("other", other)])
    mixed = written(
        tmp_path / "mixed", fields_of("a", 0.9, 500), fields_of("b", 0.9, 500, clock=4.0)
    )
    with pytest.raises(InputError, match="mixed: its configurations differ"):
        fronts.read("mixed", mixed)
    assert not (tmp_path / "out.svg").exists()


def test_what_is_published_is_of_the_published_reports(tmp_path):
    fronts.write(tmp_path / fronts.OUTPUT.name, fronts.TITLE, fronts.SERIES)
    for ending in ".md", ".svg":
        made = (tmp_path / fronts.OUTPUT.name).with_suffix(ending)
        assert made.read_text() == fronts.OUTPUT.with_suffix(ending).read_text()
    # The same data: all networks start from a float one of about the same accuracy.
    for _, path in fronts.SERIES:
        assert all(each.accuracy.float_model > 0.95 for each in load_reports([path]).reports)
