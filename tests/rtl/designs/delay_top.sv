/// Two branches of one stream, both five clock cycles deep, that meet again.
module delay_top (
  input  logic        clk,
  input  logic        rst,
  input  logic        s_axis_tvalid,
  output logic        s_axis_tready,
  input  logic [7:0]  s_axis_tdata,
  input  logic        s_axis_tlast,
  output logic        m_axis_tvalid,
  input  logic        m_axis_tready,
  output logic [15:0] m_axis_tdata,
  output logic        m_axis_tlast
);

  logic [1:0] valid, ready, end_valid;
  logic [7:0] a_in, b_in, b_mid;
  logic       mid_valid, mid_ready, taken, unused_tlast;

  assign unused_tlast = s_axis_tlast;

  gw_fork #(.Width(8), .Outputs(2)) u_fork (
    .clk, .rst,
    .in_valid(s_axis_tvalid), .in_ready(s_axis_tready), .in_data(s_axis_tdata),
    .out_valid(valid), .out_ready(ready), .out_data({b_in, a_in})
  );

  gw_delay #(.Width(8), .Depth(5)) u_a (
    .clk, .rst,
    .in_valid(valid[0]), .in_ready(ready[0]), .in_data(a_in),
    .out_valid(end_valid[0]), .out_ready(taken), .out_data(m_axis_tdata[7:0])
  );

  gw_delay #(.Width(8), .Depth(1)) u_b0 (
    .clk, .rst,
    .in_valid(valid[1]), .in_ready(ready[1]), .in_data(b_in),
    .out_valid(mid_valid), .out_ready(mid_ready), .out_data(b_mid)
  );

  gw_delay #(.Width(8), .Depth(4)) u_b1 (
    .clk, .rst,
    .in_valid(mid_valid), .in_ready(mid_ready), .in_data(b_mid),
    .out_valid(end_valid[1]), .out_ready(taken), .out_data(m_axis_tdata[15:8])
  );

  assign m_axis_tvalid = &end_valid;
  assign m_axis_tlast  = 1'b1;
  assign taken         = m_axis_tvalid && m_axis_tready;

endmodule
