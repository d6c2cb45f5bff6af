"""gw_last, beside a FIFO whose beats it marks, cycle by cycle."""

import pytest
from streams import Unit, check

WIDTH = 8


def marked(beats: int) -> Unit:
    """A FIFO of three beats whose output's highest bit is the mark."""
    return Unit(
        module="gw_last",
        parameters={"Beats": beats},
        in_width=WIDTH,
        out_width=WIDTH + 1,
        function=lambda taken, before: [taken[0] | (before % beats == beats - 1) << WIDTH],
        depth=3,
        body=(
            "gw_fifo #(.Width(8), .Depth(3)) u_fifo (.clk, .rst, .in_valid, .in_ready, .in_data,"
            " .out_valid, .out_ready, .out_data(out_data[7:0]));"
            " {module} #({parameters}) u_dut (.clk, .rst, .valid(out_valid), .ready(out_ready),"
            " .last(out_data[8]));"
        ),
    )


def test_the_last_of_every_so_many_beats_is_marked(tmp_path):
    check([marked(beats) for beats in (2, 3, 4, 7, 64)], tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_counts(tmp_path, reader):
    check([marked(n) for n in range(2, 40)], tmp_path, phase=600, seed=2, reader=reader)
