"""Verification says no: which layer, which vector, which element, and exits with 1."""

import json
import re

import pytest

from gatewright.errors import DesignFailure, InputError
from gatewright.flow.summary import refresh
from gatewright.flow.verify import verify


def _edit(file, pattern, replacement):
    text, count = re.subn(pattern, replacement, file.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    file.write_text(text)


def _module(project, layer):
    return project / "rtl" / f"net_{layer}.sv"


def test_a_spoilt_sum_is_traced_to_its_layer(simulated):
    good = verify(simulated, samples=200, stalls=(), fidelity=False)
    assert good.results.verification.first_difference is None
    assert good.results.mismatches == good.results.emulation_mismatches == 0
    assert [check.mismatches for check in good.results.verification.layers].count(0) >= 2
    assert verify(simulated, samples=200, stalls=(), fidelity=False).fresh is False
    assert json.loads(refresh(simulated).read_text())["verification"]["mismatches"] == 0

    _edit(_module(simulated, "fc1"), r"^(  wire .* = .*) \+ ", r"\1 - ")
    # What was verified is no longer what stands there.
    assert json.loads(refresh(simulated).read_text()).get("verification") is None
    bad = verify(simulated, samples=200, stalls=(), fidelity=False).results
    difference = bad.verification.first_difference
    assert 0 < bad.verification.mismatches <= 200
    assert bad.emulation_mismatches == 0
    assert difference.layer == "fc1"
    assert (difference.reference, difference.subject) == ("golden", "RTL")
    assert difference.expected != difference.got
    assert json.loads(refresh(simulated).read_text())["verification"]["mismatches"] > 0


def test_a_spoilt_weight_of_the_emulation_is_named(simulated):
    weights = sorted((simulated / "hls" / "firmware" / "weights").glob("w*.txt"))[-1]
    values = weights.read_text().split(", ")
    values[0] = str(-float(values[0]))
    weights.write_text(", ".join(values))
    bad = verify(simulated, samples=50, stalls=(), fidelity=False).results
    assert bad.verification.mismatches == 0 < bad.emulation_mismatches
    assert bad.verification.first_difference.layer == "fc2"
    assert bad.verification.first_difference.reference == "C++ emulation"


def test_lint_errors_are_failures_of_the_design(project):
    _edit(project / "rtl" / "net.sv", r"assign m_axis_tvalid = .*;", "assign m_axis_tvalid = 1;")
    with pytest.raises(DesignFailure, match="lint"):
        verify(project, samples=50, stalls=(), fidelity=False)


def test_wrong_inputs_leave_an_earlier_verification(simulated, tmp_path):
    verify(simulated, samples=50, stalls=(), fidelity=False)
    stamp = (simulated / "steps" / "verify.json").read_text()
    wrong = tmp_path / "x.npy"
    wrong.write_bytes(b"")
    with pytest.raises(InputError, match=r"x\.npy: can't be read"):
        verify(simulated, inputs=wrong, fidelity=False)
    assert (simulated / "steps" / "verify.json").read_text() == stamp
    assert not list((simulated / "steps").glob(".*"))
