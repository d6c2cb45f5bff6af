"""The schema refuses what is not a report, and prints the same bytes for the same figures."""

import json
from typing import get_args

import numpy as np
import pytest
from made_up import (
    SEARCH,
    make_baseline,
    make_fields,
    make_found_sweep,
    make_recipe_fields,
    make_recipe_report,
    make_report,
    make_search,
    make_step,
    make_streamed_fields,
    make_streamed_report,
    make_sweep,
    make_trial,
)
from pydantic import ValidationError

from gatewright.report import schema
from gatewright.report.schema import (
    Baseline,
    Bottleneck,
    LayerConfig,
    Report,
    Resources,
    Search,
    SearchTrial,
    Step,
    SweepReport,
    Timing,
)
from gatewright.report.sentences import bottleneck_text, port_text, verdict

PARTS = [part for part in map(vars(schema).get, schema.__all__) if isinstance(part, type)]
UNITS = ("number", "fraction", "bits", "cycles", "ns", "MHz", "um^2", "pJ", "mW", "uW",
         "in s", "36 Kb", "elements", "Index", "2^-f")  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_number_states_its_unit(part):
    for name, field in part.model_fields.items():
        kinds = {field.annotation, *get_args(field.annotation)}
        if kinds & {int, float}:
            assert any(unit in (field.description or "") for unit in UNITS), name


def test_json_round_trips():
    wholes = make_report(), make_streamed_report(), make_recipe_report(), make_sweep()
    for whole in (*wholes, make_found_sweep()):
        assert type(whole).model_validate_json(whole.to_json()) == whole


def test_unknown_figures_are_absent_from_json():
    fields = json.loads(make_report().to_json())
    assert "latency_last_max" not in fields["timing"]
    assert "bram" not in fields["resources"]["xcup"]
    assert fields["resources"]["xcup"]["dsp"] == 0
    assert "null" not in make_report().to_json()


def test_json_does_not_depend_on_the_order_of_keys_or_on_wall_times():
    base = make_fields(targets=("xcup", "xc7"))
    shuffled = make_fields(targets=("xc7", "xcup"))
    shuffled["provenance"]["groups"] = dict(reversed(shuffled["provenance"]["groups"].items()))
    slower = make_fields(targets=("xcup", "xc7"))
    slower["provenance"]["seconds"] = {"convert": 99.0}
    for fields, seconds in ((base, 1.5), (shuffled, 1.5), (slower, 99.5)):
        fields["steps"] = [{"name": "train", "seconds": seconds}]
    first, second, third = (Report.model_validate(f) for f in (base, shuffled, slower))
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
        (("timing", "fmax_mhz"), 100.0),
        (("resources", "xcup", "bram"), float("nan")),
        (("timing", "latency_min"), 99),
        (("timing", "latency_last_max"), 9),
        (("timing", "ii"), 0),
        (("layers", 0, "interval"), 0),
        (("fifos",), [{"name": "u_a_fifo", "depth": 1}, {"name": "u_a_fifo", "depth": 2}]),
        (("accuracy", "rtl"), 96.1),
        (("verification", "mismatches"), 10_001),
        (("layers", 0, "weights_nonzero"), 10**6),
        (("layers", 1, "name"), "fc1"),
        (("steps",), [{"name": ""}]),
        (("steps",), [{"name": "train", "test": 96.1}]),
        (("steps",), [{"name": "prune", "weights": 3, "weights_nonzero": 4}]),
        (("config", "io"), "parallel"),
        (("provenance", "groups", "compute", "method"), "guessed"),
        (("version",), 2),
    ],
)  # fmt: skip
def test_what_is_not_a_report_is_refused(path, value):
    with pytest.raises(ValidationError):
        Report.model_validate(spoil(path, value))


def test_a_figure_without_an_origin_is_refused():
    for make in (make_fields, make_streamed_fields, make_recipe_fields):
        for group in Report.model_validate(make()).groups:
            fields = make()
            del fields["provenance"]["groups"][group]
            with pytest.raises(ValidationError, match=group):
                Report.model_validate(fields)


def test_depths_alone_are_no_figures_of_a_simulation():
    assert "fifos" in make_streamed_report().groups
    assert "fifos" not in make_streamed_report(sized=False).groups


def test_numpy_numbers_are_numbers():
    resources = Resources(lut=np.int64(7), bram=np.float32(0.5))
    assert resources.model_dump_json(exclude_none=True) == '{"lut":7,"bram":0.5}'


def test_verdict():
    assert make_report().passed is True
    assert verdict(make_report()) == "bit-exact, 10,000 vectors"
    assert make_report(mismatches=3).passed is False
    fields = make_fields()
    fields["verification"]["layers"][2]["mismatches"] = 5
    layer_fails = Report.model_validate(fields)
    assert layer_fails.passed is False
    assert verdict(layer_fails) == "FAILED, 5 of 1,000 vectors differ"
    fields = make_fields()
    fields["verification"]["first_difference"] = {
        "layer": "fc1", "vector": 5000, "element": 0, "expected": 1, "got": 2
    }  # fmt: skip
    beyond_the_layers = Report.model_validate(fields)
    assert beyond_the_layers.passed is False
    assert verdict(beyond_the_layers) == "FAILED, see the first difference"
    fields = make_fields()
    fields["verification"].update(vectors=0, layers=[])
    assert Report.model_validate(fields).passed is None
    del fields["verification"]
    assert verdict(Report.model_validate(fields)) == "not verified"


def test_a_sweep_holds_one_model_and_each_configuration_once():
    with pytest.raises(ValidationError, match="'w6' occurs twice"):
        SweepReport(reports=(make_report("w6"), make_report("w6")))
    other = make_fields("w4")
    other["model"]["name"] = "wine_mlp"
    with pytest.raises(ValidationError, match="several models"):
        SweepReport(reports=(make_report("w6"), Report.model_validate(other)))


def test_frames_per_second():
    assert Timing(clock_ns=5.0, ii=1).fps == 200e6
    assert Timing(clock_ns=2.5, ii=784).fps == pytest.approx(510_204.08)
    assert Timing(clock_ns=2.5).fps is None
    assert Timing(ii=784, ii_predicted=784).fps is None


def test_a_layer_is_idle_while_the_slowest_works():
    report = make_streamed_report()
    shares = [report.utilization(layer) for layer in report.layers]
    assert shares == [pytest.approx(cycles / 8712) for cycles in (6084, 676, 8712, 121, 400)]
    old = make_report()
    assert {old.utilization(layer) for layer in old.layers} == {None}


def test_a_reuse_factor_moved_only_where_both_are_known_and_differ():
    assert LayerConfig(name="a", reuse_factor=8, reuse_factor_asked=7).moved
    assert not LayerConfig(name="a", reuse_factor=8, reuse_factor_asked=8).moved
    assert not LayerConfig(name="a", reuse_factor=8).moved


SLOW = {"layer": "conv2", "interval": 10_816, "reuse_factor": 16}
FASTER = {"faster_reuse_factor": 8, "multipliers": 144, "faster_multipliers": 288}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            SLOW | FASTER | {"extra_lut": 5123.4},
            "Bottleneck: conv2 takes 10,816 cycles per tensor (reuse factor 16). Twice as fast: "
            "reuse factor 8, 288 multipliers instead of 144, about 5,100 LUT more (estimated).",
        ),
        (
            SLOW | {"faster_reuse_factor": 8, "extra_lut": -87.6},
            "Bottleneck: conv2 takes 10,816 cycles per tensor (reuse factor 16). Twice as fast: "
            "reuse factor 8, about 88 LUT less (estimated).",
        ),
        (
            SLOW | {"faster_reuse_factor": 1, "faster_multipliers": 2304, "extra_lut": 10},
            "Bottleneck: conv2 takes 10,816 cycles per tensor (reuse factor 16). Twice as fast: "
            "reuse factor 1, without shared multipliers, about 10 LUT more (estimated).",
        ),
        (
            SLOW | {"reuse_factor": 1},
            "Bottleneck: conv2 takes 10,816 cycles per tensor (reuse factor 1). "
            "No reuse factor makes it twice as fast.",
        ),
        (
            {"layer": "pool1", "interval": 676},
            "Bottleneck: pool1 takes 676 cycles per tensor.",
        ),
    ],
)
def test_the_bottleneck_in_words(fields, sentence):
    assert bottleneck_text(Bottleneck(**fields)) == sentence


def test_ports_in_words():
    assert [port_text(port) for port in make_streamed_report().ports] == [
        "s_axis: image 28x28x1, ufixed<8,0>; 784 beats of 1 element, 8 bits",
        "m_axis: digit 10, fixed<16,6>; a beat of 10 elements, 160 bits",
    ]
    (port, *_) = make_streamed_report().ports
    words = port.model_copy(update={"words": 12, "width": 64})
    assert port_text(words).endswith("784 beats of 1 element, in 12 words of 64 bits")


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (Baseline, make_baseline(us=0)),
        (Baseline, make_baseline(latency_low_us=99.0)),
        (Baseline, make_baseline(problem="no such op")),
        (Baseline, {"model": "int8"}),
        (Search, SEARCH | {"objectives": []}),
        (Search, SEARCH | {"objectives": ["lut", "lut"]}),
        (Search, SEARCH | {"trials": [make_trial(0), make_trial(0, config="again")]}),
        (Search, SEARCH | {"trials": [make_trial(0), make_trial(1, config="trial0")]}),
        (SearchTrial, make_trial(0, reason="dominated")),
        (SearchTrial, make_trial(0, error="out of memory")),
        (SearchTrial, make_trial(0, state="stopped")),
        (SearchTrial, make_trial(0, state="stopped", error="out of memory")),
        (SearchTrial, make_trial(0, state="failed", error="")),
        (SearchTrial, make_trial(0, state="failed", error="a", reason="dominated")),
        (SearchTrial, make_trial(0, state="failed", error="out of memory", front=True)),
        (SearchTrial, make_trial(0, state="running")),
        (SearchTrial, make_trial(0, figures={"lut": float("nan")})),
        (SearchTrial, make_trial(0, point={"bits.hidden1": 4})),
    ],
)
def test_what_is_no_baseline_search_or_trial_is_refused(part, fields):
    with pytest.raises(ValidationError):
        part.model_validate(fields)


def test_throughput_is_what_the_median_batch_gives():
    assert Baseline.model_validate(make_baseline(us=12.5)).throughput == 80_000
    assert Baseline.model_validate(make_baseline(batch=256, us=400.0)).throughput == 640_000
    assert Baseline(runtime="a", model="int8", problem="no such op").throughput is None


def test_what_became_of_trials():
    search = make_search()
    assert len(search.completed) == 50 - 12 - 9 - 1
    assert list(search.stopped.items()) == [
        ("too many EBOPs", 9),
        ("training curve below the floor", 12),
    ]
    assert [(trial.number, trial.error) for trial in search.failed] == [(17, "out of memory")]
    assert not make_search(trials=[]).completed


def test_a_trial_keeps_the_order_of_its_point_alone():
    trial = SearchTrial.model_validate(
        make_trial(3, point={"b": "1", "a": "2"}, figures={"lut": 1, "ebops": 2})
    )
    assert list(json.loads(trial.model_dump_json())["point"]) == ["b", "a"]
    assert list(json.loads(trial.model_dump_json())["figures"]) == ["ebops", "lut"]


def test_a_step_without_figures_needs_no_origin():
    fields = make_fields()
    fields["steps"] = [{"name": "train", "seconds": 1.0, "device": "CPU"}]
    assert Report.model_validate(fields).steps == (Step(name="train", seconds=1.0, device="CPU"),)
    for key in ("validation", "ebops"):
        fields["steps"] = [{"name": "train", key: make_step("train")[key]}]
        with pytest.raises(ValidationError, match=r"no origin for steps\."):
            Report.model_validate(fields)
