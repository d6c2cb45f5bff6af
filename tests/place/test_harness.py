"""The harness: that it does what it says, and that nothing of the design goes in it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from tools import build_bench

from gatewright import synth
from gatewright.place import harness
from gatewright.rtl.manifest import Port, RtlProject
from gatewright.targets import load_target

DESIGN = """
module toy (
  input logic clk, input logic rst,
  input logic s_axis_tvalid, output logic s_axis_tready, input logic s_axis_tlast,
  input logic [7:0] s_axis_tdata,
  output logic m_axis_tvalid, input logic m_axis_tready, output logic m_axis_tlast,
  output logic [15:0] m_axis_tdata
);
  logic [8:0] sum;
  assign s_axis_tready = ~m_axis_tvalid | m_axis_tready;
  assign m_axis_tdata = {7'b0, sum};
  always_ff @(posedge clk)
    if (rst) m_axis_tvalid <= 1'b0;
    else if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tlast <= s_axis_tlast;
      sum <= 9'(s_axis_tdata[2:0]) * 9'd3 + 9'(s_axis_tdata[5:3]);
    end
endmodule
"""

# The same from the outside: a line of bits in, outputs folded into another, in the order of ports.
BENCH = """
module bench (input logic clk);
  logic [31:0] noise = 32'h1234_5678;
  logic [9:0] line;
  logic [11:0] outputs, taken, folded;
  logic ready, valid, last, out;
  logic [15:0] data;
  int cycle = 0;
  toy u_toy (.clk, .rst(line[0]), .s_axis_tvalid(line[1]), .s_axis_tready(ready),
    .s_axis_tdata({2'b0, line[7:2]}), .s_axis_tlast(line[8]), .m_axis_tready(line[9]),
    .m_axis_tvalid(valid), .m_axis_tdata(data), .m_axis_tlast(last));
  gw_harness u_harness (.clk, .shift_in(noise[31]), .shift_out(out));
  assign outputs = {ready, valid, data[8:0], last};
  always_ff @(posedge clk) begin
    noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};
    line <= {line[8:0], noise[31]};
    taken <= outputs;
    folded <= {folded[10:0], 1'b0} ^ taken;
    cycle <= cycle + 1;
    if (cycle > 100 && out != folded[11]) begin $display("differs at %0d", cycle); $finish; end
    if (cycle == 20_000) begin $display("same"); $finish; end
  end
endmodule
"""


def toy(folder: Path) -> RtlProject:
    ports = [
        Port("x", "s_axis", (6,), "ufixed<1,1>", 1, 6, 8),
        Port("y", "m_axis", (1,), "ufixed<9,9>", 9, 1, 16),
    ]
    (folder / "toy.sv").write_text(DESIGN)
    return RtlProject(folder, "toy", ("toy.sv",), (ports[0],), (ports[1],), (), "ecp5", 10.0, 1, 1)


def test_every_port_is_driven_and_taken_bit_by_bit(tmp_path):
    text = harness.harness(toy(tmp_path))
    (tmp_path / "bench.sv").write_text(DESIGN + text + BENCH)
    bench = build_bench(tmp_path, "-Wno-fatal")
    done = subprocess.run([bench], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[:1] == ["same"]


def test_a_frame_error_is_declared_and_taken_once(tmp_path):
    project = toy(tmp_path)
    checked = replace(project, inputs=(replace(project.inputs[0], checked=True),))
    text = harness.harness(checked)
    assert text.count("wire [0:0] s_axis_frame_error;") == 1
    assert text.count(".s_axis_frame_error(s_axis_frame_error)") == 1


def test_the_mapped_whole_is_the_design_and_the_harness(tmp_path):
    project, target = toy(tmp_path), load_target("ecp5-12k")
    files = [tmp_path / "toy.sv", tmp_path / "gw_harness.sv"]
    files[1].write_text(harness.harness(project))
    counted = []
    for name, given, top, boxes in (
        ("whole", files, harness.MODULE, []),
        ("design", files[:1], "toy", []),
        ("harness", files[1:], harness.MODULE, files[:1]),
    ):
        (tmp_path / name).mkdir()
        counted.append(synth.synthesize_files(given, top, target, tmp_path / name, boxes=boxes))
    whole, design, around = (each.total for each in counted)
    assert around.ff == 10 + 2 * 12
    assert whole.ff == design.ff + around.ff
    assert abs(whole.lut - design.lut - around.lut) <= 1
