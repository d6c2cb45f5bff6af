"""A design for vendor projects: its words leave as they came, two elements of 5 bits per beat."""

from __future__ import annotations

from gatewright.rtl.manifest import Module, Port, RtlProject

TOP = """
module net (
  input  logic clk,
  input  logic rst,
  input  logic s_axis_tvalid,
  output logic s_axis_tready,
  input  logic s_axis_tlast,
  input  logic [15:0] s_axis_tdata,
  output logic m_axis_tvalid,
  input  logic m_axis_tready,
  output logic m_axis_tlast,
  output logic [15:0] m_axis_tdata
);
  logic unused;
  assign unused = &{1'b0, clk, rst, unused, s_axis_tdata[15:10]};
  assign s_axis_tready = m_axis_tready;
  assign m_axis_tvalid = s_axis_tvalid;
  assign m_axis_tlast = s_axis_tlast;
  assign m_axis_tdata = {6'b0, s_axis_tdata[9:0]};
endmodule
"""


def make_design(directory, *, clock_ns=5.0, target="xcup", modules=()):
    """The project, written into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "net.sv").write_text(TOP)
    ports = [
        Port(tensor, prefix, (4,), "fixed<5,2>", 5, 2, 16)
        for tensor, prefix in (("x", "s_axis"), ("y", "m_axis"))
    ]
    project = RtlProject(
        directory,
        "net",
        ("net.sv",),
        (ports[0],),
        (ports[1],),
        tuple(Module(name, f"{name}.sv", f"u_{name}", "", "fork", 0, ()) for name in modules),
        target,
        clock_ns,
        1,
        2,
    )
    project.save()
    return project
