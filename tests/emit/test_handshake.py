"""Ready paths of designs whose modules have a pace of their own, and what cuts them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from emit.test_emit import branched_design
from flow.stream_designs import chain, residual
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.emit.handshake import lock_step_path
from gatewright.emit.modules import build_modules
from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.kernels import Dense, Tensor
from gatewright.simulate import StallPattern, lint, simulate
from gatewright.targets import load_target
from gatewright.units import Accumulate, CircuitUnit, Fifo

TARGET = load_target("xcup")
STALLS = (StallPattern("both", 0.4, 0.4, seed=7), StallPattern("output", 0.0, 0.6, seed=8))


def check(project, design, directory):
    """The outputs are golden under stalls, latency and interval are as predicted."""
    lint(project)
    rng = np.random.default_rng(1)
    (x,) = design.inputs
    vectors = rng.integers(x.type.min, x.type.max + 1, (6, *x.shape))
    expected = golden.run(design, [vectors])[design.outputs[0].name]
    run = simulate(project, [vectors.reshape(6, -1)], directory, stalls=STALLS)
    assert np.array_equal(run.outputs[0], expected.reshape(6, -1))
    assert run.interval_max == project.interval
    assert run.timing.latency_min == project.latency


@pytest.mark.parametrize(
    ("design", "handshake", "clock_ns"),
    [
        (residual(9), "credit", 5.0),
        pytest.param(residual(1), "credit", 5.0, marks=pytest.mark.full),
        (chain(5, 6), "slice", 1.2),
        pytest.param(residual(1), "slice", 1.2, marks=pytest.mark.full),
        pytest.param(residual(9), None, 1.2, marks=pytest.mark.full),
        pytest.param(chain(5, 6), None, 0.8, marks=pytest.mark.full),
        pytest.param(chain(7, 4), "credit", 3.0, marks=pytest.mark.full),
    ],
)
def test_outputs_are_golden_under_stalls(tmp_path, design, handshake, clock_ns):
    (tmp_path / "rtl").mkdir()
    project = emit(design, TARGET, clock_ns, tmp_path / "rtl", handshake=handshake)
    check(project, design, tmp_path / "sim")
    texts = "".join(path.read_text() for path in (tmp_path / "rtl").glob(f"{project.top}_*.sv"))
    cut = "gw_credit" if project.handshake == "credit" else "gw_fifo"
    assert f"{cut} #(" in texts


def test_checked_frames_of_several_beats_leave_whole(tmp_path):
    """A frame waits for its last beat; the interval is what it was."""
    design = residual(9)
    ports = {"register_ports": True, "check_frames": True}
    (tmp_path / "rtl").mkdir()
    project = emit(design, TARGET, 5.0, tmp_path / "rtl", **ports)
    (tmp_path / "plain").mkdir()
    plain = emit(design, TARGET, 5.0, tmp_path / "plain")
    assert project.interval == plain.interval
    assert project.latency > plain.latency + 2
    check(project, design, tmp_path / "sim")


@pytest.mark.parametrize("clock_ns", [0.8, 1.2, 1.6, 2.0, 3.0, 5.0])
def test_paths_are_as_short_as_the_clock_asks_or_as_one_unit_takes(clock_ns):
    found = build_modules(residual(9), TARGET, clock_ns)
    stalled = build_modules(residual(9), TARGET, clock_ns, "stall")
    assert stalled.handshake == "stall"
    alone = max(
        TARGET.fabric.register_ns + TARGET.fabric.enable_delay(placed.enabled_bits)
        for module in found.layers
        for placed in module.units
        if placed.circuit is None
    )
    assert found.ready_ns <= max(clock_ns, alone) < stalled.ready_ns


def test_converters_at_ports_lengthen_the_path(tmp_path):
    """At outputs the path starts later, at inputs it ends later; a gate at the input cuts it."""
    design, fabric = branched_design(np.random.default_rng(5)), TARGET.fabric
    found = {}
    for bus_width in (None, 32):
        for handshake in ("stall", "credit"):
            rtl = tmp_path / f"{bus_width}{handshake}"
            rtl.mkdir()
            project = emit(design, TARGET, 5.0, rtl, handshake=handshake, bus_width=bus_width)
            found[bus_width, handshake] = project.ready_ns
    # 2 x 14 and 4 x 12 bits leave, 5 x 8 enter in words of 32.
    least, most = (fabric.enable_delay(bits) for bits in (48, 56))
    added = found[32, "stall"] - found[None, "stall"] - fabric.enable_delay(32)
    assert least - 2e-3 <= added <= most + 2e-3
    assert found[32, "credit"] == pytest.approx(fabric.register_ns + most, abs=1e-3)
    assert found[None, "credit"] == pytest.approx(fabric.register_ns, abs=1e-3)


def test_a_path_is_cut_behind_the_circuit_of_a_sequencer():
    """No FIFO can stand between the two: the constants would not keep step."""
    target = load_target("ecp5-85k")
    found = build_modules(residual(9), target, 7.0)
    assert found.ready_ns <= 7.0 < build_modules(residual(9), target, 7.0, "stall").ready_ns


def multiplexed(n_in: int) -> Design:
    """A dense layer with a multiplier to an output, whose products are accumulated."""
    rng = np.random.default_rng(1)
    x = Tensor("x", (n_in,), FixedType(8, 3))
    layer = Dense(
        "fc",
        (x,),
        Tensor("fc", (24,), FixedType(12, 8, rounding=Rounding.RND, overflow=Overflow.SAT)),
        weights=rng.integers(-100, 100, (n_in, 24)),
        bias=np.zeros(24, np.int64),
        weight_type=FixedType(8, 1),
        bias_type=FixedType(8, 3),
        accum=FixedType(24, 12),
        strategy="resource",
        reuse_factor=n_in,
    )
    return Design("layer", (x,), (layer.output,), (layer,), io="stream")


@pytest.mark.parametrize(("target", "behind"), [("xcup", Accumulate), ("ecp5-85k", CircuitUnit)])
def test_a_slice_parts_no_accumulator_from_its_product_where_they_share_a_block(target, behind):
    """Behind the accumulators it holds no less, but they stay in DSP slices."""
    target = load_target(target)
    three = target.fabric.register_ns + 3.2 * target.fabric.enable_delay(432)  # units in a row
    (module,) = build_modules(multiplexed(16), target, three).layers
    units = [placed.unit for placed in module.units]
    (cut,) = (index for index, unit in enumerate(units) if isinstance(unit, Fifo))
    assert isinstance(units[cut - 1], behind)


def test_what_reads_a_fifo_has_less_of_the_clock():
    """Between modules and behind slices; the path of a module counts it."""
    fabric = TARGET.fabric
    found = build_modules(residual(9), TARGET, 1.2)
    late = fabric.fifo_arrival(8)
    made = {module.output.name for module in found.layers}
    behind = [
        (after.sources[0], after)
        for module in found.layers
        for before, after in pairwise(module.units)
        if isinstance(before.unit, Fifo) or before.gated
    ]
    behind += [
        (module.sources[0], module.units[0])
        for module in found.layers
        if module.inputs[0].name in made
    ]
    assert len(behind) > 2
    for source, placed in behind:
        assert source.settled == late
        assert placed.path(fabric) >= fabric.register_ns + late


@pytest.mark.parametrize(("multiplier", "in_a_block"), [("auto", True), ("lut", False)])
def test_products_of_logic_are_given_the_time_of_logic(tmp_path, multiplier, in_a_block):
    target, design = load_target("ecp5-85k"), multiplexed(16)
    (layer,) = design.kernels
    design = replace(design, kernels=(replace(layer, multiplier=multiplier),))
    (module,) = build_modules(design, target, 11.0).layers
    block = target.fabric.register_ns + target.fabric.delays.dsp
    assert (module.path(target.fabric) == pytest.approx(block)) == in_a_block
    emit(design, target, 11.0, tmp_path)
    text = "".join(path.read_text() for path in tmp_path.glob("*_fc*.sv"))
    assert ('use_dsp = "no"' in text) != in_a_block


def test_a_path_grows_with_what_it_enables():
    fabric = TARGET.fabric
    delays = [fabric.enable_delay(loads) for loads in (1, 2, 100, 10_000)]
    assert delays == sorted(delays)
    assert delays[0] == fabric.delays.lut


def test_an_output_without_modules_has_no_path():
    assert lock_step_path([], [], TARGET.fabric) == TARGET.fabric.register_ns
