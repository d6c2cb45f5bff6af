"""gw_reduce, with a register that it reduces beats in, cycle by cycle."""

from functools import reduce
from operator import xor

import pytest
from streams import Unit, check


def reduced(steps: int, width: int = 8) -> Unit:
    """The bits in which an odd number of beats is one."""
    return Unit(
        module="gw_reduce",
        parameters={"Steps": steps},
        in_width=width,
        out_width=width,
        function=lambda taken, _: [reduce(xor, taken)],
        beats_in=steps,
        body=(
            "logic take, first; {module} #({parameters}) u_dut (.clk, .rst, .in_valid, .in_ready,"
            " .out_valid, .out_ready, .take, .first);"
            " always_ff @(posedge clk) if (take) out_data <= first ? in_data : out_data ^ in_data;"
        ),
    )


def test_a_beat_for_every_so_many(tmp_path):
    check([reduced(steps) for steps in (1, 2, 3, 4, 5, 9, 33)], tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_steps(tmp_path, reader):
    check([reduced(n) for n in range(1, 40)], tmp_path, phase=600, seed=2, reader=reader)
