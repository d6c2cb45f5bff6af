"""gw_feed with a ROM beside it against a list of its steps, cycle by cycle."""

from __future__ import annotations

from itertools import product

import pytest
from streams import RTL, Unit, beat_of, check, elements
from tools import verilator

# The ROM stands outside. Its words are their addresses, so that a word out of step is seen.
ROM = """\
localparam int AddressBits = {address_bits};
  logic rom_enable;
  logic [AddressBits-1:0] rom_address, weights;
  logic [{step_msb}:0] operands;
  always_ff @(posedge clk) if (rom_enable) weights <= rom_address;
  assign out_data = {{{{weights, operands}}}};
  {{module}} #({{parameters}}) u_dut (
    .clk, .rst, .in_valid, .in_ready, .in_data, .out_valid, .out_ready, .out_data(operands),
    .rom_enable, .rom_address
  );"""


def feed(width: int, lanes: int, take: int, rounds: int, beats: int) -> Unit:
    beat_steps = rounds * lanes // take
    steps = beat_steps * beats
    address_bits = max(1, (steps - 1).bit_length())

    def issue(taken: list[int], before: int) -> list[int]:
        (beat,) = taken
        values = elements(beat, lanes, width)
        words = []
        for number in range(beat_steps):
            first = number * take % lanes
            operands = beat_of(values[first : first + take], width)
            address = (before * beat_steps + number) % steps
            words.append(address << (take * width) | operands)
        return words

    return Unit(
        module="gw_feed",
        parameters={
            "Width": width, "Lanes": lanes, "Take": take, "Rounds": rounds, "Steps": steps,
        },
        in_width=lanes * width,
        out_width=take * width + address_bits,
        function=issue,
        beats_out=beat_steps,
        body=ROM.format(address_bits=address_bits, step_msb=take * width - 1),
    )  # fmt: skip


SMALL = [
    feed(8, 4, 1, 1, 1), feed(8, 4, 1, 1, 3), feed(5, 6, 2, 1, 1), feed(5, 6, 3, 4, 2),
    feed(1, 1, 1, 1, 1), feed(7, 1, 1, 1, 9), feed(7, 3, 3, 1, 1), feed(7, 3, 3, 1, 5),
    feed(7, 3, 3, 4, 1), feed(3, 5, 1, 2, 3), feed(2, 16, 4, 3, 1), feed(6, 1, 1, 5, 2),
]  # fmt: skip


def test_steps(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_steps(tmp_path, reader):
    units = [
        feed(width, take * chunks, take, rounds, beats)
        for width, (take, chunks), rounds, beats in product(
            (1, 6), ((1, 8), (3, 1), (2, 5)), (1, 2, 7), (1, 3)
        )
    ]
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Lanes": 5, "Take": 2, "Steps": 5}, "Take divides Lanes"),
        ({"Lanes": 4, "Take": 2, "Steps": 5}, "Steps is a multiple"),
    ],
)
def test_uneven_steps_are_an_error(parameters, message, tmp_path):
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    linted = verilator("--lint-only", *values, str(RTL / "gw_feed.sv"), cwd=tmp_path)
    assert linted.returncode != 0
    assert message in linted.stderr
