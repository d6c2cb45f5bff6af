import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from gatewright.errors import DesignFailure, InputError
from gatewright.simulate import STALLS, StallPattern, simulate
from gatewright.simulate import simulation as run
from gatewright.simulate.simulation import LOG, RESULTS


def random_words(low, high, shape):
    """The same in whichever order the tests run."""
    return np.random.default_rng(0).integers(low, high, shape)


def adder_inputs(n):
    words = random_words(-16, 16, (n, 3))
    return [words[:, :2], words[:, 2:]]


def test_outputs_latency_and_interval(adder, build_dir):
    x, y = adder_inputs(500)
    result = simulate(adder(), [x, y], build_dir)
    np.testing.assert_array_equal(result.outputs[0], x.sum(axis=1, keepdims=True) + y)
    assert (result.timing.latency_min, result.timing.latency_max, result.interval) == (1, 1, 1.0)
    # The only beat of a result is its first and its last.
    assert (result.timing.latency_last_min, result.timing.latency_last_max) == (1, 1)
    assert [phase.name for phase in result.phases] == [
        "full rate",
        *(pattern.name for pattern in STALLS),
        "reset",
        "cocotbext-axi",
    ]
    # Sources that idle for 70 % of the time make a vector cost 3.3 clock cycles.
    slow = result.phases[1 + [pattern.name for pattern in STALLS].index("slow input")]
    assert slow.cycles > 2.5 * slow.vectors
    assert result.cycles_per_second > 1000
    tests = ElementTree.parse(build_dir / RESULTS).findall(".//testcase")  # noqa: S314
    assert len(tests) == len(result.phases)


def test_vectors_of_several_beats(serial_sum, build_dir):
    x = random_words(-128, 128, (100, 4))
    result = simulate(serial_sum, [x], build_dir)
    total = x.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(result.outputs[0], np.hstack([total, -total]))
    assert (result.timing.latency_min, result.timing.latency_max, result.interval) == (4, 4, 6.0)
    assert (result.timing.latency_last_min, result.timing.latency_last_max) == (5, 5)
    assert (result.interval_min, result.interval_max) == (6, 6)
    assert result.levels == {}


def test_single_vector_has_no_interval(adder, build_dir):
    result = simulate(
        adder(), [np.array([[1, 2]]), np.array([[-16]])], build_dir, stalls=(), resets=0
    )
    assert result.outputs[0].tolist() == [[-13]]
    assert result.interval is None
    assert result.interval_max is None


def test_levels_of_fifos_and_pace(branches, build_dir):
    x = random_words(-8, 8, (60, 4))
    paced = StallPattern("paced", pace=8)
    result = simulate(branches(), [x], build_dir, stalls=[paced, *STALLS])
    np.testing.assert_array_equal(result.outputs[0], x + x.sum(axis=1, keepdims=True))
    full_rate, paced = result.phases[:2]
    # At full rate the source is twice as fast as the design, so the FIFO at the input fills, and
    # the latency of a vector grows by the time that its first beat waits there. Of each vector,
    # u_direct holds all four beats, and one of the next vector before the first sum takes one out.
    assert full_rate.levels == {"u_input": 8, "u_direct": 5, "u_totals": 1}
    assert (result.timing.latency_min, result.timing.latency_last_min) == (6, 9)
    assert result.timing.latency_max > 16
    assert (result.interval, result.interval_min, result.interval_max) == (8.0, 8, 8)
    # Beats come in every second cycle; u_total answers in cycles 8 to 11, while those of cycles 8
    # and 10 wait. It is as fast as the input, so every vector takes as long as the first one.
    assert paced.levels == {"u_input": 2, "u_direct": 4, "u_totals": 1}
    assert (paced.timing.latency_min, paced.timing.latency_max) == (9, 9)
    assert (paced.timing.latency_last_min, paced.timing.latency_last_max) == (12, 12)
    assert (paced.interval_min, paced.interval_max) == (8, 8)
    # u_totals is full only when the sink does not take what u_direct and it offer.
    assert result.levels["u_totals"] == 2


def test_pace_that_is_no_multiple_of_the_beats(branches, build_dir):
    x = random_words(-8, 8, (40, 4))
    paces = [StallPattern(f"pace {pace}", pace=pace) for pace in (1, 4, 11, 1001)]
    result = simulate(branches(), [x], build_dir, stalls=paces, resets=0, driver_vectors=0)
    at = {phase.name: phase for phase in result.phases}
    # The source is faster than the design, as at full rate.
    for name in ("pace 1", "pace 4"):
        assert (at[name].cycles, at[name].levels) == (at["full rate"].cycles, result.levels)
    # Beats 2 or 3 cycles apart, 11 a vector; a vector then takes those of three distances longer.
    assert (at["pace 11"].interval_min, at["pace 11"].interval_max) == (11, 11)
    assert (at["pace 11"].timing.latency_min, at["pace 11"].timing.latency_max) == (12, 12)
    assert (at["pace 1001"].interval_min, at["pace 1001"].interval_max) == (1001, 1001)
    assert at["pace 1001"].levels == {"u_input": 1, "u_direct": 4, "u_totals": 1}


def test_deadlock_names_the_fifos(branches, build_dir):
    # u_total waits for all four beats, and the fork for u_direct, which holds but two.
    with pytest.raises(
        DesignFailure,
        match=r"phase 'full rate': deadlock: no beat moved for \d+ clock cycles; "
        r"full: u_direct \(2 of 2\), u_input \(8 of 8\); starved: u_totals; "
        r"s_axis tvalid=1 tready=0 after 10 of 240 beats; "
        r"m_axis tvalid=0 tready=1 after 0 of 240 beats",
    ):
        simulate(branches(2), [random_words(-8, 8, (60, 4))], build_dir)


def test_budget_leaves_vectors_out(serial_sum, build_dir):
    x = random_words(-128, 128, (300, 4))
    result = simulate(serial_sum, [x], build_dir, stalls=STALLS[:2], budget=600)
    passed = {phase.name: phase.vectors for phase in result.phases}
    # Six cycles a vector, or nine where four beats are to move in 3 of 10 cycles, or in about half.
    assert passed.pop("full rate") == 300
    assert 60 < passed["random"] < 100
    assert 30 < passed["slow input"] < 60
    assert 2 <= passed["reset"] < passed["random"]
    assert passed["cocotbext-axi"] < 12
    assert all(phase.cycles < 1200 for phase in result.phases[1:])


def test_budget_leaves_some_vectors(serial_sum, build_dir):
    x = random_words(-128, 128, (5, 4))
    result = simulate(serial_sum, [x], build_dir, stalls=STALLS[:1], budget=1)
    assert [phase.vectors for phase in result.phases] == [5, 2, 2, 1]


@pytest.mark.parametrize(("latency", "interval"), [(0, 1), (7, 1), (150_000, 100_000)])
def test_resets_meet_a_design_early_and_late(serial_sum, latency, interval):
    project = dataclasses.replace(serial_sum, latency=latency, interval=interval)
    moments = run._moments(project, 16, 500_000)
    assert 1 <= min(moments) <= max(1, latency / 10)
    assert max(moments) > latency
    assert sum(moments) < 500_000
    assert len(moments) == 16


def test_slow_design_is_given_up_only_beyond_what_it_said(adder, build_dir):
    # Far below the patience for a deadlock at any moment, but no end comes in sight.
    with pytest.raises(
        DesignFailure, match=r"too slow: not finished after \d+ clock cycles.*of 60"
    ):
        simulate(adder(10), adder_inputs(60), build_dir)
    slow = dataclasses.replace(adder(10), interval=64)
    result = simulate(slow, adder_inputs(60), build_dir, stalls=STALLS[:1], resets=0)
    assert result.interval == 64


FAULTS = [
    (1, 60, r"phase 'full rate': deadlock: .* m_axis tvalid=0 tready=1 after 59 of 60 beats"),
    (2, 60, "phase '.*': m_axis: tdata changed while tvalid waited for tready"),
    (3, 60, "m_axis: tvalid fell before tready took the beat"),
    (4, 60, r"m_axis: tlast is missing on the last beat of a vector \(vector 0,"),
    (5, 60, "m_axis: tvalid is high after reset"),
    (6, 60, r"deadlock: .*s_axis_x tvalid=1 tready=0 after 40 of 60 beats; s_axis_y "),
    (7, 40, "m_axis: a beat came after the last vector"),
    (8, 60, r"output 'sum' depends on stalls: vector \d+, element 0 is -?\d+ in phase 'random'"),
    (9, 60, r"output 'sum', vector 0: m_axis_tdata has ones above bit 6"),
]


@pytest.mark.parametrize(("fault", "vectors", "message"), FAULTS)
def test_fault_is_caught(adder, build_dir, fault, vectors, message):
    with pytest.raises(DesignFailure, match=message):
        simulate(adder(fault), adder_inputs(vectors), build_dir, driver_vectors=0)


@pytest.mark.full  # wants a second build of everything
def test_waves(adder, build_dir):
    simulate(adder(), adder_inputs(5), build_dir, stalls=(), resets=0, waves=True)
    (waves,) = build_dir.glob("waves.*")
    assert waves.stat().st_size > 1000


def test_log_is_kept(adder, build_dir):
    simulate(adder(), adder_inputs(5), build_dir, stalls=(), resets=0)
    assert "PASS" in (build_dir / LOG).read_text()


def test_seeds_make_a_difference(adder, build_dir):
    cycles = {
        simulate(
            adder(),
            adder_inputs(200),
            build_dir,
            stalls=[StallPattern("p", 0.5, 0.5, seed=seed)],
            resets=0,
            driver_vectors=0,
        )
        .phases[1]
        .cycles
        for seed in (1, 2, 3)
    }
    assert len(cycles) > 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([np.zeros((3, 2), int)], "has 2 inputs"),
        ([np.zeros((3, 2), int), np.zeros((2, 1), int)], "same number of vectors"),
        ([np.zeros((0, 2), int), np.zeros((0, 1), int)], "at least 1"),
        ([np.zeros((3, 4), int), np.zeros((3, 1), int)], r"expected integers of shape \(n, 2\)"),
        ([np.zeros((3, 2), int), np.full((3, 1), 16)], r"vector 0, element 0: raw value 16"),
    ],
)
def test_wrong_inputs(adder, build_dir, inputs, message):
    with pytest.raises(InputError, match=message):
        simulate(adder(), inputs, build_dir)
