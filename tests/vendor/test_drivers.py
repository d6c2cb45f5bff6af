"""Drivers of vendor tools, against mocks: a tool that works, and tools that misbehave."""

import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from made_up_design import make_design

from gatewright.errors import DesignFailure, InputError, TimeLimitError
from gatewright.vendor.drivers import LOG, available, find_driver, last_step, run
from gatewright.vendor.projects.devices import DEFAULT_PARTS
from gatewright.vendor.projects.files import VendorProject, project_files

HERE = Path(__file__).parent
PROGRAMS = {
    "vivado": "vivado",
    "quartus": "quartus_sh",
    "radiant": "radiantc",
    "vitis_hls": "vitis-run",
}


def install(folder, program, behaviour):
    """Put a mock on a folder that stands on PATH."""
    folder.mkdir(exist_ok=True)
    command = shlex.join([sys.executable, str(HERE / "mock_tool.py"), program, behaviour])
    path = folder / program
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(HERE))} exec {command} "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Runs a mock of a tool on a project; gives what its reports say."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    project = make_design(tmp_path / "rtl")

    def start(tool, behaviour="works", until=None, seconds=60.0):
        install(tmp_path / "bin", PROGRAMS[tool], behaviour)
        folder = tmp_path / "vendor" / tool
        folder.mkdir(parents=True)
        for name, text in project_files(VendorProject(project, tool, DEFAULT_PARTS[tool])).items():
            (folder / name).write_text(text)
        driver = find_driver(tool)
        return run(driver, folder, "net", last_step(driver, until), seconds)

    return start


def test_vivado(start):
    found = start("vivado")
    assert list(found) == ["vivado-synthesized", "vivado-placed", "vivado-routed"]
    assert found["vivado-routed"].figures.keys() >= {"lut", "slack_ns", "power_w"}


def test_vivado_until_synthesis(start, tmp_path):
    assert list(start("vivado", until="synthesized")) == ["vivado-synthesized"]
    assert (tmp_path / "vendor" / "vivado" / LOG).read_text() == "vivado: at work\n"


def test_quartus(start):
    assert start("quartus")["quartus-routed"].figures.keys() >= {"alm", "fmax_mhz", "slack_ns"}


def test_radiant(start):
    found = start("radiant")
    assert list(found) == ["radiant-routed", "radiant-synthesized"]
    assert found["radiant-synthesized"].figures.keys() >= {"lut", "ff", "dsp", "ram_blocks"}
    assert found["radiant-routed"].figures.keys() >= {"slack_ns", "hold_slack_ns", "fmax_mhz"}


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fails", "failed: ERROR <51001035> - map: the design does not fit; see "),
        ("stops", "ended without an error, but before its script was routed; see "),
        ("lacking", "finished without writing net.twr; see "),
    ],
)
def test_a_failure_of_radiant_is_told_whatever_the_status(start, behaviour, words):
    with pytest.raises(DesignFailure) as caught:
        start("radiant", behaviour)
    assert words in str(caught.value)


def test_a_report_of_radiant_of_another_format_is_refused_by_name(start):
    words = r"net\.mrp:\d+: Number of LUT4s: a whole number is expected, not '1,270 out of"
    with pytest.raises(InputError, match=words):
        start("radiant", "changed")


def test_vitis_hls_by_the_program_of_later_releases(start):
    assert start("vitis_hls")["vitis_hls-estimated"].lut == 590


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fails", "failed: ERROR: [Place 30-640] Place Check : it does not fit; see "),
        ("dies", "ended with status 3: "),
        ("stops", "ended without an error, but before its script was routed; see "),
        ("lacking", "finished without writing synthesized_timing_summary.rpt; see "),
    ],
)
def test_a_failure_is_told_whatever_the_status(start, behaviour, words):
    with pytest.raises(DesignFailure) as caught:
        start("vivado", behaviour)
    assert str(caught.value).startswith("vivado: ")
    assert words in str(caught.value)


def test_a_report_of_another_format_is_refused_by_name(start):
    words = r"synthesized_utilization\.rpt:\d+: CLB LUTs: a number .* expected, not '1,700'"
    with pytest.raises(InputError, match=words):
        start("vivado", "changed")


def test_a_tool_that_hangs_is_ended(start, tmp_path):
    began = time.monotonic()
    with pytest.raises(TimeLimitError, match="vivado: ended after 3 seconds, its time limit"):
        start("vivado", "hangs", seconds=3.0)
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "vendor" / "vivado" / "pid").read_text()), 0)


def test_a_tool_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available() == []
    words = "--run: vitis_hls or vitis-run is not on PATH; source the settings of vitis_hls first"
    with pytest.raises(InputError, match=words):
        find_driver("vitis_hls")
    with pytest.raises(InputError, match="--run: radiantc is not on PATH"):
        find_driver("radiant")


def test_steps_of_tools(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "quartus_sh", "works")
    assert available() == ["quartus"]
    with pytest.raises(InputError, match="--until placed: quartus has routed"):
        last_step(find_driver("quartus"), "placed")
