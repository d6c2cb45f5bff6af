/// Adds to each of the four elements of a vector, one a beat, the total of all four.
///
/// The beats pass a FIFO, u_input, and a fork. One branch, u_total, collects a vector and answers
/// with its total in four beats, taking no input meanwhile; the other, u_direct, is a FIFO that holds
/// the vector until then. The totals pass a third FIFO, u_totals. Eight clock cycles a
/// vector. With a u_direct that is too shallow the design comes to a deadlock.
module branches (
  input  logic       clk,
  input  logic       rst,
  input  logic       s_axis_tvalid,
  output logic       s_axis_tready,
  input  logic [7:0] s_axis_tdata,
  input  logic       s_axis_tlast,
  output logic       m_axis_tvalid,
  input  logic       m_axis_tready,
  output logic [7:0] m_axis_tdata,
  output logic       m_axis_tlast
);

  logic        x_valid, x_ready, unused_tlast;
  logic [7:0]  x_data, direct_data;
  logic [1:0]  fork_valid, fork_ready;
  logic [15:0] fork_data;
  logic        direct_valid, direct_ready, total_valid, total_ready, totals_valid, totals_ready;
  logic [8:0]  total_data, totals_data;

  assign unused_tlast = s_axis_tlast;

  gw_fifo #(.Width(8), .Depth(8)) u_input (
    .clk, .rst,
    .in_valid(s_axis_tvalid), .in_ready(s_axis_tready), .in_data(s_axis_tdata),
    .out_valid(x_valid), .out_ready(x_ready), .out_data(x_data)
  );

  gw_fork #(.Width(8), .Outputs(2)) u_fork (
    .clk, .rst, .in_valid(x_valid), .in_ready(x_ready), .in_data(x_data),
    .out_valid(fork_valid), .out_ready(fork_ready), .out_data(fork_data)
  );

  gw_fifo #(.Width(8), .Depth(8)) u_direct (
    .clk, .rst,
    .in_valid(fork_valid[0]), .in_ready(fork_ready[0]), .in_data(fork_data[7:0]),
    .out_valid(direct_valid), .out_ready(direct_ready), .out_data(direct_data)
  );

  branches_total u_total (
    .clk, .rst,
    .in_valid(fork_valid[1]), .in_ready(fork_ready[1]), .in_data(fork_data[15:8]),
    .out_valid(total_valid), .out_ready(total_ready), .out_data(total_data)
  );

  gw_fifo #(.Width(9), .Depth(2)) u_totals (
    .clk, .rst, .in_valid(total_valid), .in_ready(total_ready), .in_data(total_data),
    .out_valid(totals_valid), .out_ready(totals_ready), .out_data(totals_data)
  );

  // Both are read together: each is taken when the other is there too.
  assign m_axis_tvalid = direct_valid && totals_valid;
  assign m_axis_tdata  = direct_data + totals_data[7:0];
  assign m_axis_tlast  = totals_data[8];
  assign direct_ready  = m_axis_tready && totals_valid;
  assign totals_ready  = m_axis_tready && direct_valid;

endmodule
