"""Runs of a netlist by Icarus Verilog: outputs, transitions, power."""

import shutil

import numpy as np
import pytest

from gatewright.errors import DesignFailure, InputError
from gatewright.rtl.signal_map import SignalMap
from gatewright.silicon import activity, power
from gatewright.silicon.activity import GateRun, simulator_version
from gatewright.silicon.static_timing import Constraints, analyze
from gatewright.synth.liberty.models import model_text

icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"
)
opensta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA is not installed")

NO_NAMES = SignalMap({})
INPUTS = np.array([[0, 0], [15, 1], [3, 9], [15, 15], [0, 0], [0, 0], [8, 8], [1, 2]])


@pytest.fixture
def run(project, netlist, target):
    def made(inputs=INPUTS, expected=None, text=None):
        library = target.family.standard_cells.library
        sums = inputs.sum(axis=1, keepdims=True)
        return GateRun(
            project=project,
            netlist=netlist,
            models=text or model_text(library),
            inputs=[inputs],
            expected=[sums if expected is None else expected],
            period_ns=20.0,
        )

    return made


@icarus
def test_transitions_of_ports_and_registers_are_counted(run, netlist):
    """The window begins when the first sum was taken, and ends when the last numbers were."""
    found = run().count("none")
    assert found.interval == 1
    assert found.cycles == len(INPUTS) - 2
    assert found.transitions[netlist.ports["clk"]] == 2 * found.cycles
    sums = INPUTS.sum(axis=1)
    flips = np.bitwise_xor(sums[1:-1], sums[2:])
    for bit in range(5):
        assert found.transitions[netlist.ports[f"m_axis_tdata_{bit}"]] == sum(flips >> bit & 1)


@icarus
def test_an_output_that_differs_is_named(run):
    wrong = INPUTS.sum(axis=1, keepdims=True)
    wrong[3] += 1
    with pytest.raises(DesignFailure, match=r"output 'y', vector 3, element 0: golden 31, .* 30"):
        run(expected=wrong).count("none")


@icarus
def test_a_cell_that_computes_something_else_is_noticed(run, target):
    text = model_text(target.family.standard_cells.library)
    changed = text.replace("_1_ = A & B", "_1_ = A | B")
    assert changed != text
    with pytest.raises(DesignFailure, match=r"^sums: gate-level simulation: "):
        run(text=changed).count("none")


@icarus
def test_models_that_do_not_compile_are_an_error(run):
    with pytest.raises(DesignFailure, match="iverilog failed"):
        run(text="module NAND2(").count("none")


@icarus
@opensta
def test_power_with_and_without_glitches(project, netlist, target):
    cells = target.family.standard_cells
    timed = analyze(netlist, cells.library, Constraints(20.0, "BUF", cells.load_ff), NO_NAMES)
    rng = np.random.default_rng(1)
    inputs = rng.integers(0, 16, (40, 2))
    found = power.measure(
        project,
        netlist,
        cells,
        timed,
        inputs=[inputs],
        expected=[inputs.sum(axis=1, keepdims=True)],
        progress=lambda _: None,
    )
    assert found.no_glitches is None
    assert found.glitch_energy_pj > found.energy_pj > 0
    leaking = timed.leakage_uw * 20 * 1e-3
    assert found.dynamic_mw == pytest.approx((found.glitch_energy_pj - leaking) / 20, rel=1e-3)
    # Six flip-flops, two edges, 0.02 pJ for the pin and at least 0.03 within.
    assert found.clock_share * found.energy_pj > 6 * 2 * 0.05


@icarus
@opensta
def test_designs_too_large_for_delays_say_so(project, netlist, target, monkeypatch):
    monkeypatch.setattr(power, "MOST_DELAYED_CELLS", 3)
    cells = target.family.standard_cells
    timed = analyze(netlist, cells.library, Constraints(20.0, "BUF", cells.load_ff), NO_NAMES)
    found = power.measure(
        project,
        netlist,
        cells,
        timed,
        inputs=[INPUTS],
        expected=[INPUTS.sum(axis=1, keepdims=True)],
        progress=lambda _: None,
    )
    assert found.glitch_energy_pj is None
    assert found.no_glitches == "more than 3 cells"


def test_without_it_the_message_says_what_to_install(monkeypatch, tmp_path):
    simulator_version.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install iverilog"):
        activity.simulator_version()
    simulator_version.cache_clear()
