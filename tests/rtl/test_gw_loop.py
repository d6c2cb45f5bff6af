"""gw_loop around a body that stands outside, against a model of it, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from streams import RTL, Model, Unit, check
from tools import verilator

# The next state is three times the state, plus the beat, some clock cycles later. Half-way the
# state and the beat are read again, which must be those of the beginning.
BODY = """\
logic go_valid, go_ready, back_valid, back_ready;
  logic [{bits}-1:0] state, product, next;
  assign product = {bits}'({bits}'(3) * state);
  {delay}
  {{module}} #({{parameters}}) u_dut (
    .clk, .rst, .in_valid, .in_ready, .go_valid, .go_ready, .go_data(state),
    .back_valid, .back_ready, .back_data({bits}'(next + in_data) ^ {bits}'(state << 1)),
    .out_valid, .out_ready, .out_data
  );"""

DELAY = """\
gw_delay #(.Width({bits}), .Depth({latency})) u_body (
    .clk, .rst, .in_valid(go_valid), .in_ready(go_ready), .in_data(product),
    .out_valid(back_valid), .out_ready(back_ready), .out_data(next)
  );"""
WIRES = "assign {back_valid, next, go_ready} = {go_valid, product, back_ready};"


@dataclass
class Loop(Model):
    """Follows a loop through the clock cycles since reset."""

    state: int = 0
    step: int = 0
    out: int | None = None
    left: int | None = None  # clock cycles until the step ends
    starts: bool = False

    def look(self, beat: int | None, out_ready: bool) -> tuple[bool | None, int | None]:
        self.starts = beat is not None and self.left is None and (self.out is None or out_ready)
        return (self.starts and self.unit.depth == 0) or self.left == 0, self.out

    def clock(self, taken: int | None, given: bool) -> None:
        parameters = {name: int(value) for name, value in self.unit.parameters.items()}
        mask = (1 << parameters["StateBits"]) - 1
        if given:
            self.out = None
        if taken is None:
            self.left = self.unit.depth - 1 if self.starts else self.left and self.left - 1
            return
        made = ((3 * self.state + taken) ^ (self.state << 1)) & mask
        last = self.step == parameters["Steps"] - 1
        if last or parameters["Every"]:
            self.out = made & ((1 << parameters["OutBits"]) - 1)
        self.state, self.step = (0, 0) if last else (made, self.step + 1)
        self.left = None

    def check_rate(self, came: list[int], left: list[int], rate: int) -> None:
        taken = np.arange(self.unit.depth, rate, self.unit.depth + 1)
        assert came == taken.tolist()
        steps = int(self.unit.parameters["Steps"])
        given = taken if self.unit.parameters["Every"] else taken[steps - 1 :: steps]
        assert left == [cycle for cycle in (given + 1).tolist() if cycle < rate]


def loop(bits: int, out: int, steps: int, every: int, latency: int) -> Unit:
    delay = DELAY.format(bits=bits, latency=latency) if latency else WIRES
    body = BODY.format(bits=bits, delay=delay.replace("{", "{{").replace("}", "}}"))
    return Unit(
        module="gw_loop",
        parameters={"StateBits": bits, "OutBits": out, "Steps": steps, "Every": every},
        in_width=bits,
        out_width=out,
        function=lambda taken, before: [],  # the model says what it does
        body=body,
        depth=latency,
        model=Loop,
    )


SMALL = [
    loop(8, 8, 1, 0, 0), loop(8, 8, 3, 0, 0), loop(9, 4, 4, 1, 0), loop(6, 6, 5, 1, 1),
    loop(7, 3, 2, 0, 1), loop(12, 5, 6, 0, 4), loop(5, 5, 3, 1, 7), loop(1, 1, 2, 1, 2),
]  # fmt: skip


def test_steps(tmp_path):
    check(SMALL, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_steps(tmp_path, reader):
    rng = np.random.default_rng(4)
    units = []
    for _ in range(30):
        bits = int(rng.integers(1, 20))
        out, steps, every, latency = (
            int(rng.integers(low, high)) for low, high in ((1, bits + 1), (1, 9), (0, 2), (0, 9))
        )
        units.append(loop(bits, out, steps, every, latency))
    check([*SMALL, *units], tmp_path, phase=400, seed=1, reader=reader)


def test_no_steps_are_an_error(tmp_path):
    linted = verilator("--lint-only", "-GSteps=0", str(RTL / "gw_loop.sv"), cwd=tmp_path)
    assert linted.returncode != 0
    assert "Steps is at least 1" in linted.stderr
