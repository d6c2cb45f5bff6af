"""The report of a project directory: what its manifest and its finished steps say, no more."""

import json
from contextlib import contextmanager
from dataclasses import asdict

import pytest

from gatewright.flow.convert import load_rtl
from gatewright.flow.results import parse_results, plain
from gatewright.flow.steps import Stamp, write_stamp
from gatewright.flow.summary import Labels, Training, refresh, summarize
from gatewright.flow.synthesize import synthesized_content
from gatewright.flow.verify import verified_content
from gatewright.report import schema
from gatewright.report.report_files import load_reports, write_report
from gatewright.report.sentences import fidelity_text
from gatewright.rtl.manifest import Module

SIZED = {
    "depths": {"u_fc1_fifo": 3, "u_fc2_fifo": 0},
    "levels": {"u_fc1_fifo": 2, "u_fc2_fifo": 1},
    "interval": 6.0,
    "interval_after": 6.0,
    "simulator": "5.48.0",
    "stalls": ["idle"],
}


@contextmanager
def edited(path):
    """The content of a JSON file, written back afterwards."""
    fields = json.loads(path.read_text())
    yield fields
    path.write_text(json.dumps(fields))


@pytest.fixture
def shared(project):
    """A project whose manifest tells of shared multipliers and of FIFOs."""
    with edited(project / "rtl" / "project.json") as manifest:
        (first,) = (module for module in manifest["modules"] if module["layer"] == "fc1")
        first |= {"interval": 3, "reuse_factor": 3, "multipliers": 2, "strategy": "shared"}
        first |= {"notes": ["moved"], "latency": 5}
        manifest["interval"] = 6
        for name, depth in SIZED["depths"].items():
            fifo = Module("gw_fifo", "gw_fifo.sv", name, "", "fifo", 1, (), depth=depth, room=32)
            manifest["modules"].append(asdict(fifo))
    return project


#: What every verification tells.
VERIFIED = {
    "source": "random words",
    "seed": 0,
    "mismatches": 0,
    "emulation_mismatches": 0,
    "emulation_missing": None,
    "difference": None,
    "layers": [],
    "stalls": [],
    "latency_min": 17,
    "latency_max": 18,
    "latency_last_min": 20,
    "latency_last_max": 21,
    "interval": 7.5,
    "cycles": 99,
    "cycles_per_second": 1000,
    "simulator": "5.48.0",
    "changed": [],
}


def stamp(directory, step, subject, results):
    """A stamp as Gatewright 0.1 wrote it."""
    write_stamp(directory, Stamp(step, "", results, 1.0, subject=subject))


def sized(directory, **changes):
    stamp(directory, "fifos", synthesized_content(load_rtl(directory)), SIZED | changes)


def test_a_conversion_alone_tells_the_structure_and_predictions(shared):
    report = summarize(shared)
    first, relu = report.layers[:2]
    assert (first.latency, first.interval, report.utilization(first)) == (5, 3, 0.5)
    assert (relu.interval, relu.latency) == (None, None)
    config = report.config.layers[0]
    assert (config.reuse_factor, config.reuse_factor_asked, config.multipliers) == (3, 1, 2)
    assert config.moved and config.notes == ("moved",)
    assert [(port.name, port.lanes, port.beats) for port in report.ports] == [
        ("s_axis", 3, 1),
        ("m_axis", 2, 1),
    ]
    assert [(f.name, f.depth, f.level) for f in report.fifos] == [
        ("u_fc1_fifo", 3, None),
        ("u_fc2_fifo", 0, None),
    ]
    assert "fifos" not in report.groups and report.timing.fps is None


def test_a_speed_that_was_asked_for(project):
    with edited(project / "convert.json") as asked:
        asked["options"] |= {"target_ii": None, "fps": 1e6}
    config = summarize(project).config
    assert (config.target_ii, config.target_fps) == (None, 1e6)


def test_measured_fifos_tell_their_levels(shared):
    sized(shared)
    report = summarize(shared)
    assert [(f.depth, f.level) for f in report.fifos] == [(3, 2), (0, 1)]
    origin = report.provenance.groups["fifos"]
    assert origin.method == "simulated"
    assert "interval 6 with deep FIFOs, 6 with those built" in origin.details
    assert load_reports([refresh(shared)]).reports[0].fifos == report.fifos


def test_levels_of_other_rtl_are_left_out(shared):
    sized(shared)
    path = shared / "rtl" / "project.json"
    path.write_text(path.read_text().replace('"depth": 3', '"depth": 4'))
    assert [(f.depth, f.level) for f in summarize(shared).fifos] == [(4, None), (0, None)]


def test_a_design_without_fifos_has_no_levels(project):
    sized(project, depths={}, levels={})
    assert summarize(project).fifos == ()


def test_simulated_times(shared):
    stamp(shared, "verify", verified_content(shared, load_rtl(shared)), VERIFIED | {"vectors": 9})
    timing = summarize(shared).timing
    assert (timing.ii, timing.ii_predicted) == (8, 6)
    assert timing.fps == pytest.approx(1e9 / (8 * timing.clock_ns))
    assert (timing.latency_max, timing.latency_last_max) == (18, 21)


def test_stamps_of_gatewright_0_1_say_the_same_once_they_are_written_again():
    difference = {"layer": "fc1", "tensor": "fc1", "vector": 3, "element": 0, "expected": 1}
    difference |= {"got": 2, "type": "fixed<8,3>", "reference": "golden", "subject": "RTL"}
    old = VERIFIED | {"vectors": 9, "mismatches": 1, "difference": difference, "stalls": ["none"]}
    old |= {"layers": [{"name": "fc1", "vectors": 9, "mismatches": 0}], "fidelity": None}
    results = parse_results("verify", old)
    assert (results.timing.ii, results.timing.latency_max, results.interval) == (8, 18, 7.5)
    assert results.verification.first_difference.got == 2
    written = plain(results)
    assert {key: written[key] for key in old} == old
    assert parse_results("verify", written) == results
    for wrong in (old | {"vectors": -1}, old | {"interval": float("inf")}, old | {"more": 1}, []):
        with pytest.raises(ValueError):
            parse_results("verify", wrong)


@pytest.fixture
def slow(shared):
    """The same with fc1 at reuse factor 6 of 1, 3 and 6."""
    with edited(shared / "model" / "design.json") as design:
        (fc1,) = (kernel for kernel in design["kernels"] if kernel["layer"] == "fc1")
        fc1["reuse_factor"] = 6
    return shared


def test_the_bottleneck_and_its_price(slow):
    report = summarize(slow)
    found = report.bottleneck
    assert (found.layer, found.interval) == ("fc1", 3)
    assert (found.reuse_factor, found.faster_reuse_factor) == (6, 3)
    assert (found.multipliers, found.faster_multipliers) == (1, 2)
    assert found.extra_lut is not None
    assert report.provenance.groups["bottleneck"].method == "estimated"


def test_no_layer_is_the_bottleneck_where_a_port_is_as_slow(slow):
    with edited(slow / "rtl" / "project.json") as manifest:
        manifest["inputs"][0] |= {"lanes": 1, "tdata_width": 8}
    report = summarize(slow)
    assert report.bottleneck is None and "bottleneck" not in report.groups


def test_the_price_is_unknown_without_the_target(slow):
    with edited(slow / "convert.json") as asked:
        asked["options"]["target"] = "gone.yaml"
    assert summarize(slow).bottleneck is None


def test_what_only_a_sweep_knows_survives_new_steps_of_the_flow(shared):
    keras = schema.Origin(method="simulated", tool="Keras")
    groups = ("accuracy.float_model", "accuracy.validation", "steps.accuracy", "steps.compute")
    step = schema.Step(name="train", settings="seed: 0", test=0.9, ebops=7, seconds=1.5)
    other = schema.Repetition(
        seed=2,
        accuracy=schema.Accuracy(samples=9, quantized=0.7),
        verification=schema.Comparison(vectors=9, mismatches=0),
    )
    known = {
        "labels": Labels("digits", "w6", "six bits", "Digits", "digits/model.py"),
        "score": schema.Accuracy(samples=9, float_model=0.9, validation=0.8),
        "training": Training((step,), 1, (other,)),
        "score_origins": dict.fromkeys(groups, keras),
    }
    write_report(summarize(shared, **known), shared)
    sized(shared)
    (report,) = load_reports([refresh(shared)]).reports
    assert report == summarize(shared, **known)
    assert (report.steps, report.training_seed, report.repetitions) == ((step,), 1, (other,))
    assert report.fifos[0].level == 2


def test_the_comparison_with_keras_is_kept_for_the_same_run_of_the_verification(project):
    subject = verified_content(project, load_rtl(project))
    results = VERIFIED | {"vectors": 7}
    stamp(project, "verify", subject, results)
    keras = schema.Comparison(vectors=7, mismatches=1)
    output = schema.OutputFidelity(name="y", largest=0.5, mean=0.1, equal=0.25)
    fidelity = schema.Fidelity(vectors=7, outputs=(output,))
    origin = schema.Origin(method="simulated", tool="tf-keras")
    write_report(summarize(project, keras=keras, fidelity=(fidelity, origin)), project)
    (report,) = load_reports([refresh(project)]).reports
    assert (report.verification.keras, report.fidelity) == (keras, fidelity)
    assert report.provenance.groups["fidelity"] == origin
    stamp(project, "verify", subject, results | {"vectors": 8})
    (report,) = load_reports([refresh(project)]).reports
    assert (report.verification.vectors, report.verification.keras) == (8, None)
    assert report.fidelity is None and "fidelity" not in report.groups


def test_what_verification_found_of_the_model_itself_stands_in_the_report(project):
    output = {"name": "fc2", "type": "fixed<8,3>", "largest": 0.5, "mean": 0.1, "equal": 0.25}
    blame = {"layer": "fc1", "type": "fixed<8,3>", "reason": "wraps around", "setting": ""}
    found = {
        "method": "tf-keras 2",
        "vectors": 7,
        "source": "x.npy",
        "reason": None,
        "layers": [],
        "inexact": "layer 'fc1' rounds",
        "equal": False,
        "first": None,
        "beyond": [],
        "outputs": [output | {"scale": 2.0, "agreement": 0.5, "close": False}],
        "blame": blame,
        "warning": "too far",
    }
    subject = verified_content(project, load_rtl(project))
    stamp(project, "verify", subject, VERIFIED | {"vectors": 7, "fidelity": found})
    (report,) = load_reports([refresh(project)]).reports
    assert (report.fidelity.agreement, report.fidelity.equal) == (0.5, 0.25)
    assert report.fidelity.blame.setting is None
    origin = report.provenance.groups["fidelity"]
    assert origin.tool == "tf-keras 2" and "7 vectors: x.npy" in origin.details

    reason = {"reason": "no TensorFlow", "method": None, "outputs": [], "blame": None}
    stamp(project, "verify", subject, VERIFIED | {"vectors": 7, "fidelity": found | reason})
    (report,) = load_reports([refresh(project)]).reports
    assert fidelity_text(report.fidelity) == "not compared with the model itself: no TensorFlow"
    assert "fidelity" not in report.groups
