"""The step that times a model as software: what runs where, and what the report says of it."""

import pytest

from gatewright.errors import InputError
from gatewright.flow import software
from gatewright.flow.software import EMULATION, measure_software
from gatewright.flow.summary import summarize
from gatewright.frontend.reference import ON_ANY_DEVICE, ON_PROCESSOR, Times

SECONDS = 0.001


class PretendedFramework:
    """Stands for the child process with TensorFlow."""

    gpu_names = ()
    asked = ()
    framework = "made-up framework 1.0"

    def __init__(self, network, environment):
        self.sees_gpus = environment is ON_ANY_DEVICE
        assert self.sees_gpus or environment is ON_PROCESSOR

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def gpus(self):
        return list(self.gpu_names) if self.sees_gpus else []

    def time(self, inputs, device, seconds):
        type(self).asked += ((device, self.sees_gpus, len(inputs[0])),)
        return Times(low=10.0, median=20.0 * len(inputs[0]), high=1e6, count=50)


@pytest.fixture
def framework(monkeypatch):
    class Framework(PretendedFramework):
        pass

    monkeypatch.setattr(software, "Reference", Framework)
    return Framework


def runs(project, **options):
    return measure_software(project, batch=8, seconds=SECONDS, **options).results.software.runs


def test_framework_and_emulation_on_the_processor(project, framework):
    found = runs(project)
    assert framework.asked == (("/CPU:0", True, 1), ("/CPU:0", True, 8))
    assert [(run.runtime, run.batch, run.gpu) for run in found] == [
        (framework.framework, 1, None),
        (framework.framework, 8, None),
        (EMULATION, 1, None),
    ]
    emulated = found[-1]
    assert emulated.model == "fixed point" and emulated.threads == 1
    assert 0 < emulated.latency_low_us <= emulated.latency_us <= emulated.latency_high_us
    assert emulated.repetitions >= 50


def test_with_a_gpu_the_processor_is_timed_where_weights_are_its_own(project, framework):
    framework.gpu_names = ("Made-up GPU", "Another GPU")
    found = runs(project)
    devices = [(device, sees) for device, sees, batch in framework.asked if batch == 1]
    assert devices == [("/GPU:0", True), ("/GPU:1", True), ("/CPU:0", False)]
    assert [run.gpu for run in found if run.batch == 8] == ["Made-up GPU", "Another GPU", None]


def test_a_measurement_is_kept_and_is_about_its_model(project, framework):
    first = measure_software(project, batch=8, seconds=SECONDS)
    again = measure_software(project, batch=8, seconds=SECONDS)
    assert first.fresh and not again.fresh and again.results == first.results
    assert measure_software(project, batch=4, seconds=SECONDS).fresh
    report = summarize(project)
    assert report.software.fps == pytest.approx(max(run.throughput for run in report.software.runs))
    origin = report.provenance.groups["software"]
    assert origin.method == "measured" and framework.framework in origin.tool
    (network,) = (project / "model").glob("network.json")
    network.write_text(network.read_text() + " ", encoding="utf-8")
    assert summarize(project).software is None


def test_what_cannot_run_is_said_and_the_rest_is_measured(project, monkeypatch):
    def refuse(*_, **__):
        raise InputError("TensorFlow can't be imported")

    monkeypatch.setattr(software, "Reference", refuse)
    failed, emulated = runs(project)
    assert failed.problem == "TensorFlow can't be imported" and failed.latency_us is None
    assert emulated.latency_us > 0


def test_an_emulation_that_verification_never_compiled_is_left_alone(project, framework):
    (project / "hls" / "firmware" / "emulation.so").unlink()
    assert EMULATION not in {run.runtime for run in runs(project)}
