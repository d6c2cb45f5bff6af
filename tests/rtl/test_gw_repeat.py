"""gw_repeat with a ROM beside it against a list of its steps, cycle by cycle."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from streams import RTL, Unit, check
from tools import verilator

# The ROM stands outside. Its words are their addresses, so that a word out of step is seen.
ROM = """\
localparam int AddressBits = {address_bits};
  localparam logic [{steps}-1:0] Last = {steps}'h{last:x};
  logic rom_enable, rom_last;
  logic [AddressBits-1:0] rom_address, weights;
  logic [{msb}:0] beat;
  always_ff @(posedge clk)
    if (rom_enable) {{{{rom_last, weights}}}} <= {{{{Last[rom_address], rom_address}}}};
  assign out_data = {{{{weights, beat}}}};
  {{module}} #({{parameters}}) u_dut (
    .clk, .rst, .in_valid, .in_ready, .in_data, .out_valid, .out_ready, .out_data(beat),
    .rom_enable, .rom_address, .rom_last
  );"""


def repeat(bits: int, *rounds: int) -> Unit:
    steps, ends = sum(rounds), list(accumulate(rounds))
    address_bits = max(1, (steps - 1).bit_length())

    def issue(taken: list[int], before: int) -> list[int]:
        (beat,) = taken
        number = before % len(rounds)
        addresses = range(ends[number] - rounds[number], ends[number])
        return [address << bits | beat for address in addresses]

    return Unit(
        module="gw_repeat",
        parameters={"Bits": bits, "Steps": steps},
        in_width=bits,
        out_width=bits + address_bits,
        function=issue,
        beats_out=rounds,
        body=ROM.format(
            address_bits=address_bits,
            steps=steps,
            last=sum(1 << end - 1 for end in ends),
            msb=bits - 1,
        ),
    )


SMALL = [
    repeat(8, 1), repeat(5, 1, 1, 1), repeat(3, 4), repeat(7, 2, 1, 5), repeat(1, 1, 3),
    repeat(9, 3, 3), repeat(12, 1, 1, 7, 1, 1, 2),
]  # fmt: skip


def test_steps(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_steps(tmp_path, reader):
    rng = np.random.default_rng(2)
    units = [
        repeat(int(rng.integers(1, 20)), *rng.integers(1, 6, rng.integers(1, 9)).tolist())
        for _ in range(30)
    ]
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)


def test_no_steps_are_an_error(tmp_path):
    linted = verilator("--lint-only", "-GSteps=0", str(RTL / "gw_repeat.sv"), cwd=tmp_path)
    assert linted.returncode != 0
    assert "Steps is at least 1" in linted.stderr
