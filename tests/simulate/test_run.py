import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from gatewright.errors import DesignFailure, InputError
from gatewright.simulate import STALLS, StallPattern, simulate
from gatewright.simulate.run import LOG, RESULTS

RNG = np.random.default_rng(0)


def adder_inputs(n):
    return [RNG.integers(-16, 16, (n, 2)), RNG.integers(-16, 16, (n, 1))]


def test_outputs_latency_and_interval(adder, build_dir):
    x, y = adder_inputs(500)
    result = simulate(adder(), [x, y], build_dir)
    np.testing.assert_array_equal(result.outputs[0], x.sum(axis=1, keepdims=True) + y)
    assert (result.latency_min, result.latency_max, result.interval) == (1, 1, 1.0)
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
    x = RNG.integers(-128, 128, (100, 4))
    result = simulate(serial_sum, [x], build_dir)
    total = x.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(result.outputs[0], np.hstack([total, -total]))
    assert (result.latency_min, result.latency_max, result.interval) == (4, 4, 6.0)


def test_single_vector_has_no_interval(adder, build_dir):
    result = simulate(
        adder(), [np.array([[1, 2]]), np.array([[-16]])], build_dir, stalls=(), resets=0
    )
    assert result.outputs[0].tolist() == [[-13]]
    assert result.interval is None


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
