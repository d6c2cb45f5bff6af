/// Delays a stream by `Depth` registers, to balance branches of unequal depth.
///
/// All stages move together whenever the last one is empty or is being read: a bubble after a beat
/// that waits stays a bubble. Latency `Depth`, one beat per clock. Does not cut the combinational
/// path from `out_ready` to `in_ready`.
module gw_delay #(
  parameter int Width = 8,
  parameter int Depth = 1  // at least 1
) (
  input  logic             clk,
  input  logic             rst,  // empties all stages; data are not reset

  input  logic             in_valid,
  output logic             in_ready,
  input  logic [Width-1:0] in_data,

  output logic             out_valid,
  input  logic             out_ready,
  output logic [Width-1:0] out_data
);

`ifndef __ICARUS__
  if (Depth < 1) begin : gen_no_such_depth
    $error("gw_delay: Depth is at least 1");
  end
`endif

  localparam int Bits = Depth * Width;

  // The youngest stage is in the least significant bits.
  logic [Depth-1:0] valid;
  logic [Bits-1:0]  data;

  assign in_ready  = !out_valid || out_ready;
  assign out_valid = valid[Depth-1];
  assign out_data  = data[Bits-1-:Width];

  always_ff @(posedge clk) begin
    if (rst) valid <= '0;
    else if (in_ready) valid <= Depth'({valid, in_valid});
  end

  always_ff @(posedge clk) begin
    if (in_ready) data <= Bits'({data, in_data});
  end

endmodule
