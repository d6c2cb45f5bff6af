"""A project's folder that came by mail: `verify` runs nothing that came with it."""

import shutil

import pytest

from gatewright.flow.verify import verify
from gatewright.system.cache import cache_dir


@pytest.fixture
def foreign(simulated, tmp_path, monkeypatch):
    """A verified project in the hands of somebody who has built none of it, with code in it."""
    project, marker = simulated, tmp_path / "marker"
    monkeypatch.chdir(tmp_path)
    verify(project, samples=20, fidelity=False)
    theirs = tmp_path / "cache of another user"
    # Objects of the simulator alone: another user has simulated something else before.
    shutil.copytree(cache_dir() / "verilator", theirs / "verilator")
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(theirs))
    script = f"#!/bin/sh\ntouch {marker}\n"
    for path in (project / "sim").glob("gw_bench-*"):
        path.write_text(script)
        path.chmod(0o755)
    firmware = project / "hls" / "firmware"
    (firmware / "emulation.so").write_text(script)
    for header in (firmware / "nnet_utils").glob("*.h"):
        if header.name != "nnet_code_gen.h":
            header.write_text(f'#include <fstream>\nstatic std::ofstream mark("{marker}");\n')
    for folder in (project, project / "rtl", project / "sim", tmp_path):
        for name in ("cocotb", "gw_streams", "numpy", "sitecustomize"):
            (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    return project, marker


def test_nothing_of_it_runs_and_everything_is_found_anew(foreign):
    project, marker = foreign
    found = verify(project, samples=20, fidelity=False)
    assert not marker.exists()
    assert found.fresh  # whatever their stamp says
    assert (found.results.verification.vectors, found.results.mismatches) == (20, 0)
    assert not verify(project, samples=20, fidelity=False).fresh
