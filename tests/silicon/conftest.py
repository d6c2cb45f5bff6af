"""A small project on a small library: two numbers of four bits and their sum."""

from pathlib import Path

import pytest
import yaml

from gatewright.rtl.manifest import Module, Port, RtlProject
from gatewright.silicon.netlist import join
from gatewright.synth import synthesize
from gatewright.targets import load_target

LIBRARY = Path(__file__).parents[1] / "liberty" / "tiny.lib"
TARGET = {
    "description": "a tiny library",
    "clock_ns": 20.0,
    "family": "liberty",
    "libraries": [str(LIBRARY)],
    "nand2": "NAND2",
    "driving_cell": "BUF",
}
LAYER = """
module small_add (
  input logic clk, rst, in_valid, output logic in_ready, input logic [7:0] in_data,
  output logic out_valid, input logic out_ready, output logic [4:0] out_data
);
  assign in_ready = out_ready | ~out_valid;
  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (in_ready) out_valid <= in_valid;
    if (in_ready) out_data <= in_data[3:0] + in_data[7:4];
  end
endmodule
"""
TOP = """
module sums (
  input logic clk, rst, s_axis_tvalid, output logic s_axis_tready, input logic s_axis_tlast,
  input logic [7:0] s_axis_tdata,
  output logic m_axis_tvalid, input logic m_axis_tready, output logic m_axis_tlast,
  output logic [7:0] m_axis_tdata
);
  logic [4:0] data;
  small_add u_add (
    .clk, .rst, .in_valid(s_axis_tvalid), .in_ready(s_axis_tready), .in_data(s_axis_tdata),
    .out_valid(m_axis_tvalid), .out_ready(m_axis_tready), .out_data(data)
  );
  assign m_axis_tlast = 1'b1;
  assign m_axis_tdata = {3'b0, data};
endmodule
"""


def write_target(folder, **changes):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TARGET | changes))
    return load_target(str(path))


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    return write_target(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rtl")
    (folder / "small_add.sv").write_text(LAYER)
    (folder / "sums.sv").write_text(TOP)
    return RtlProject(
        folder,
        "sums",
        ("small_add.sv", "sums.sv"),
        (Port("x", "s_axis", (2,), "ufixed<4,4>", 4, 2, 8),),
        (Port("y", "m_axis", (1,), "ufixed<5,5>", 5, 1, 8),),
        (Module("small_add", "small_add.sv", "u_add", "add", "dense", 1, ()),),
        "tiny",
        20.0,
        1,
        1,
    )


@pytest.fixture(scope="session")
def mapped(project, target, tmp_path_factory):
    """The folder of a synthesis, and its resources."""
    folder = tmp_path_factory.mktemp("mapped")
    return folder, synthesize(project, target, folder)


@pytest.fixture
def netlist(project, target, mapped, tmp_path):
    return join(project, target.family.standard_cells.library, mapped[0], tmp_path)
