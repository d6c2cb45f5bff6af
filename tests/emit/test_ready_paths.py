"""What the header of a top says of paths from readies to readies, judged by Yosys' netlist."""

import re
import subprocess
import sys

import numpy as np
import pytest
from test_emit import branched_design

from gatewright.emit import emit
from gatewright.frontend import convert
from gatewright.frontend.quiet import import_keras
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from gatewright.targets import load_target

_CONE = """
import sys
from pyosys import libyosys
top, *files = sys.argv[1:]
run = libyosys.run_pass
design = libyosys.Design()
run("read_verilog -sv " + " ".join(files), design)
run(f"hierarchy -check -top {top}", design)
for command in ("proc", "flatten", "opt -full", "memory_dff", "memory -nomap", "opt_clean"):
    run(command, design)
kinds = ("dff", "dffe", "sdff", "sdffe", "sdffce", "mem_v2", "memrd_v2")
cone = "w:s_axis*tready %ci*:" + ":".join(f"-${kind}" for kind in kinds)
run(f"tee -q -o {top}.cone select -list {cone} w:m_axis*tready %i", design)
"""


def reached(directory, top):
    """Whether an output's ready decides in the same cycle about an input's."""
    files = sorted(path.name for path in directory.glob("*.sv"))
    command = [sys.executable, "-c", _CONE, top, *files]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=120)
    return bool((directory / f"{top}.cone").read_text().strip())


def said(directory, top):
    text = (directory / f"{top}.sv").read_text()
    (line,) = re.findall(r"/// Cuts no path at its inputs(.*)\.", text)
    return line


def test_without_fifos_the_path_goes_through(tmp_path):
    design = branched_design(np.random.default_rng(3))
    emit(design, load_target("xcup"), 3.0, tmp_path, handshake="stall")
    assert said(tmp_path, "branched") == ", nor the one from m_axis_tready to s_axis_tready"
    assert reached(tmp_path, "branched")


def test_a_gate_cuts_it(tmp_path):
    design = branched_design(np.random.default_rng(3))
    emit(design, load_target("xcup"), 3.0, tmp_path, handshake="credit")
    assert said(tmp_path, "branched") == "; FIFOs cut those from m_axis_tready to s_axis_tready"
    assert not reached(tmp_path, "branched")


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_fifos_of_two_beats_cut_it(tmp_path, depth):
    keras = import_keras("tf_keras")
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((5, 5, 1)), layers.Conv2D(2, 2, name="a"), layers.Conv2D(2, 2, name="b")],
        name="net",
    )
    design = lower(convert(model, options=ConvertOptions(io="stream")))
    (tmp_path / "first").mkdir()
    project = emit(design, load_target("xcup"), 5.0, tmp_path / "first")
    names = [module.instance for module in project.modules if module.kind == "fifo"]
    assert names
    (tmp_path / "rtl").mkdir()
    tmp_path /= "rtl"
    emit(design, load_target("xcup"), 5.0, tmp_path, depths=dict.fromkeys(names, depth))
    top = project.top
    assert reached(tmp_path, top) == (depth < 2)
    assert ("FIFOs cut" in said(tmp_path, top)) == (depth >= 2)
