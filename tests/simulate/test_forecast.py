"""What a simulation will take is known before it starts, and how many vectors are bearable."""

import dataclasses

import numpy as np
import pytest

from gatewright.simulate import LONGEST, bearable, plan, seconds_of, simulate


@pytest.mark.parametrize("vectors", [3, 40, 300])
def test_phases_take_about_the_cycles_that_were_expected(serial_sum, build_dir, vectors):
    """The simulation is the judge; pauses are random, and a drain is waited for at most."""
    words = np.random.default_rng(0).integers(-128, 128, (vectors, 4))
    result = simulate(serial_sum, [words], build_dir)
    for phase, done in zip(plan(serial_sum, vectors), result.phases, strict=True):
        assert (phase["name"], phase["vectors"]) == (done.name, done.vectors)
        expected = phase["cycles"] - sum(phase["resets"])
        assert expected / 2 < done.cycles < 2 * expected + 100


def test_the_share_done_rises(serial_sum, build_dir):
    shares = []
    words = np.random.default_rng(0).integers(-128, 128, (120_000, 4))
    simulate(serial_sum, [words], build_dir, share=shares.append)
    assert shares and all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def slowed(project, interval):
    return dataclasses.replace(project, interval=interval, latency=interval)


def seconds(project, vectors):
    return seconds_of(project, plan(project, vectors))


def test_a_slow_design_gets_fewer_vectors(serial_sum):
    chosen = {}
    for interval in (6, 1000, 10_000, 300_000, 2_359_415):
        project = slowed(serial_sum, interval)
        chosen[interval] = bearable(lambda count, p=project: seconds(p, count), 1000, 10)
    assert chosen[6] == chosen[1000] == 1000  # a simulation of seconds stays as it is
    assert chosen[2_359_415] == 10
    counts = list(chosen.values())
    assert counts == sorted(counts, reverse=True) and 10 < chosen[300_000] < 1000


@pytest.mark.parametrize("interval", [10_000, 100_000, 500_000])
def test_the_number_is_the_greatest_that_is_bearable(serial_sum, interval):
    project = slowed(serial_sum, interval)
    chosen = bearable(lambda count: seconds(project, count), 1000, 1)
    assert seconds(project, chosen) <= LONGEST or chosen == 1
    assert chosen == 1000 or seconds(project, chosen + 1) > LONGEST


def test_what_a_rom_holds_takes_no_time(serial_sum, tmp_path):
    text = "  always_ff @(posedge clk) data <= mem[address];\n"
    content = "".join(f"    mem[{i}] = 16'h{i:04x};\n" for i in range(10_000))
    for name, module in (("empty", text), ("rom", f"{text}{content}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "serial_sum.sv").write_text(module)
    empty, rom = (
        dataclasses.replace(serial_sum, directory=tmp_path / name) for name in ("empty", "rom")
    )
    assert seconds(rom, 10) == seconds(empty, 10)


def test_large_designs_and_wide_ports_are_slower(serial_sum, tmp_path):
    (tmp_path / "serial_sum.sv").write_text("// " + "x" * 1_000_000)
    large = dataclasses.replace(serial_sum, directory=tmp_path)
    port = dataclasses.replace(serial_sum.inputs[0], tdata_width=12_544)
    wide = dataclasses.replace(serial_sum, inputs=(port,))
    assert seconds(large, 100) > 2 * seconds(serial_sum, 100)
    assert seconds(wide, 100) > 2 * seconds(serial_sum, 100)
