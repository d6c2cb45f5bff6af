"""gw_credit around pipelines of every length: every transfer, in any timing."""

import numpy as np
import pytest
from transfers import PHASES, Unit, check, rtl

BITS = 8
TENSORS = 60
FILES = ("gw_shift", "gw_fifo", "gw_credit")

#: Inputs are added and leave `Stages` clock cycles later, behind a gate and a FIFO.
SUM = """
module credited_sum #(parameter int unsigned Inputs = 1, parameter int unsigned Stages = 1) (
  input  logic clk, rst,
  input  logic [Inputs-1:0] in_valid,
  output logic [Inputs-1:0] in_ready,
  input  logic [Inputs*8-1:0] in_data,
  output logic out_valid,
  input  logic out_ready,
  output logic [7:0] out_data
);
  logic arrived, space;
  logic [7:0] sum, last;
  gw_credit #(.Inputs(Inputs), .Outputs(1), .Latency({32'(Stages)})) u_gate (
    .clk, .rst, .in_valid, .in_ready, .out_valid(arrived), .out_taken(out_valid && out_ready)
  );
  always_comb begin
    sum = '0;
    for (int i = 0; i < Inputs; i++) sum += in_data[i*8+:8];
  end
  if (Stages == 0) assign last = sum;
  else gw_shift #(.Width(8), .Depth(Stages)) u_pipeline (.clk, .in_data(sum), .out_data(last));
  gw_fifo #(.Width(8), .Depth(Stages + 2)) u_fifo (
    .clk, .rst, .in_valid(arrived), .in_ready(space), .in_data(last),
    .out_valid, .out_ready, .out_data
  );
endmodule
"""


def unit(inputs: int, stages: int) -> Unit:
    rng = np.random.default_rng(inputs + 10 * stages)
    beats = tuple(rng.integers(0, 1 << BITS, TENSORS) for _ in range(inputs))

    def timing(record):
        """A beat is taken when all have come and a place was free a cycle before."""
        offered, taken = [], []
        for number in range(TENSORS):
            start = max(port.offered[number] for port in record.inputs)
            if taken:
                start = max(start, taken[-1] + 1)
            if number >= stages + 2:  # the place of an earlier beat
                start = max(start, record.output.taken[number - stages - 2] + 1)
            taken.append(start)
            ready = start + stages + 1
            offered.append(max(ready, record.output.taken[number - 1] + 1) if number else ready)
        return offered, [taken] * inputs

    outputs = [int(value) for value in np.sum(beats, axis=0) & 0xFF]
    parameters = {"Inputs": inputs, "Stages": stages}
    return Unit("credited_sum", parameters, BITS, BITS, beats, outputs, TENSORS, 1, timing)


def files(tmp_path):
    (tmp_path / "credited_sum.sv").write_text(SUM)
    return [*rtl(*FILES), tmp_path / "credited_sum.sv"]


def test_no_beat_is_lost_and_none_waits_in_vain(tmp_path):
    units = [unit(inputs, stages) for inputs in (1, 3) for stages in (0, 1, 2, 7)]
    check(units, files(tmp_path), tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", [None, "read_verilog", "read_slang"])
def test_many_lengths(tmp_path, reader):
    units = [unit(inputs, stages) for inputs in (1, 2) for stages in (0, 1, 3, 16, 39)]
    check(units, files(tmp_path), tmp_path, PHASES, reader)
