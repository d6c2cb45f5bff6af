/// Three readers of one stream; readers 1 and 2 meet again after branches of unequal depth.
///
/// The first output is a plain copy. The second joins a copy with one that is two clock cycles
/// late, which comes to a deadlock if the fork makes one reader wait for another.
module fork_top (
  input  logic        clk,
  input  logic        rst,
  input  logic        s_axis_tvalid,
  output logic        s_axis_tready,
  input  logic [7:0]  s_axis_tdata,
  input  logic        s_axis_tlast,
  output logic        m_axis_copy_tvalid,
  input  logic        m_axis_copy_tready,
  output logic [7:0]  m_axis_copy_tdata,
  output logic        m_axis_copy_tlast,
  output logic        m_axis_pair_tvalid,
  input  logic        m_axis_pair_tready,
  output logic [15:0] m_axis_pair_tdata,
  output logic        m_axis_pair_tlast
);

  logic [2:0] valid, ready;
  logic [7:0] early, late_in, late;
  logic       late_valid, late_ready, unused_tlast;

  assign unused_tlast       = s_axis_tlast;
  assign m_axis_copy_tvalid = valid[0];
  assign ready[0]           = m_axis_copy_tready;
  assign m_axis_copy_tlast  = 1'b1;

  gw_fork #(.Width(8), .Outputs(3)) u_fork (
    .clk, .rst,
    .in_valid(s_axis_tvalid), .in_ready(s_axis_tready), .in_data(s_axis_tdata),
    .out_valid(valid), .out_ready(ready), .out_data({late_in, early, m_axis_copy_tdata})
  );

  gw_delay #(.Width(8), .Depth(2)) u_late (
    .clk, .rst,
    .in_valid(valid[2]), .in_ready(ready[2]), .in_data(late_in),
    .out_valid(late_valid), .out_ready(late_ready), .out_data(late)
  );

  assign m_axis_pair_tvalid = valid[1] && late_valid;
  assign ready[1]           = m_axis_pair_tready && late_valid;
  assign late_ready         = m_axis_pair_tready && valid[1];
  assign m_axis_pair_tdata  = {late, early};
  assign m_axis_pair_tlast  = 1'b1;

endmodule
