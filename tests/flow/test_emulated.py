"""hls4ml's C++ beside the rest of a verification: what comes to its limits is said."""

import json
import re
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from gatewright.cli import commands as cli
from gatewright.design import golden
from gatewright.emulation import LIBRARY
from gatewright.errors import DesignFailure
from gatewright.flow.convert import load_design
from gatewright.flow.emulated import TRACED, Emulated
from gatewright.flow.inputs import random_inputs
from gatewright.flow.summary import refresh
from gatewright.flow.verify import verify

ASKED = ("--samples", "20", "--stall", "random", "--no-fidelity")


@pytest.fixture
def uncompiled(project):
    """A project as `convert` leaves it."""
    (project / "hls" / "firmware" / LIBRARY).unlink()
    return project


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_a_comparison_that_is_missing_is_said_everywhere(uncompiled, capsys):
    project = uncompiled
    limited = ("verify", project, *ASKED, "--emulation-limit", "1")
    why = "g++, for the C++ emulation: ended after 1 seconds, its time limit"
    line = f"{project}: not compared with hls4ml's C++: {why}; --emulation-limit gives it more"
    assert run(*limited) == 0
    said = capsys.readouterr().err.splitlines()
    assert "bit-exact on 20 vectors" in said[-2]
    assert said[-1] == line
    assert run(*limited, "--require-emulation") == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"gatewright: {line}"
    found = json.loads(refresh(project).read_text())["verification"]
    assert found["reference"] == "NumPy golden"
    assert found["emulation_missing"].startswith(why)
    assert not found.get("layers")
    assert run("report", project) == 0
    shown = capsys.readouterr().out
    assert "bit-exact, 20 vectors, without hls4ml's C++" in shown
    assert f"not compared with hls4ml's C++: {why}" in shown

    # The way out that it names, and the gate when all is there.
    assert run("verify", project, *ASKED, "--emulation-limit", "900", "--require-emulation") == 0
    assert "not compared" not in capsys.readouterr().err
    found = json.loads(refresh(project).read_text())["verification"]
    assert found.get("emulation_missing") is None
    assert {layer["name"] for layer in found["layers"]} >= {"fc1", "fc2"}
    again = verify(project, samples=20, stalls=cli._patterns(["random"]), fidelity=False)
    assert not again.fresh


def test_memory_that_runs_out_is_said(uncompiled, monkeypatch):
    monkeypatch.setattr("gatewright.system.processes.most_memory", lambda: 100 << 20)
    design = load_design(uncompiled)
    with Emulated(uncompiled / "hls", design, random_inputs(design, 5, 0), 900) as emulated:
        found = emulated.against({})
    assert found.missing.startswith("g++, for the C++ emulation: it needed more memory than")
    assert found.mismatches is None


def test_a_design_that_fails_does_not_wait_for_the_compiler(uncompiled, monkeypatch):
    ended = []

    def endless(_, *, seconds, cancelled):
        ended.append(cancelled.wait(seconds))
        raise CancelledError

    monkeypatch.setattr("gatewright.emulation.compile_emulation", endless)
    top = uncompiled / "rtl" / "net.sv"
    spoilt, count = re.subn(
        "assign m_axis_tvalid = .*;", "assign m_axis_tvalid = 1;", top.read_text()
    )
    top.write_text(spoilt)
    assert count == 1
    with pytest.raises(DesignFailure, match="lint"):
        verify(uncompiled, samples=5, fidelity=False)
    assert ended == [True]


def test_vectors_beyond_those_that_are_traced_are_compared_at_the_outputs(project):
    design = load_design(project)
    words = random_inputs(design, TRACED + 7, seed=1)
    expected = golden.run(design, words)
    output = design.outputs[0].name
    expected[output] = np.array(expected[output])
    expected[output][-1] += 1
    with Emulated(project / "hls", design, words, 900) as emulated:
        end = time.monotonic() + 60
        while not emulated.done and time.monotonic() < end:
            time.sleep(0.01)
        emulated.check()
        found = emulated.against(expected)
    assert found.mismatches == 1
    assert found.difference.vector == TRACED + 6
    assert all(layer.vectors == TRACED and not layer.mismatches for layer in found.layers)
