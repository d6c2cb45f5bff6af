/// Delays a word by `Depth` clock cycles, to level branches of a pipeline that never waits.
module gw_shift #(
  parameter int Width = 8,
  parameter int Depth = 1  // at least 1
) (
  input  logic             clk,
  input  logic [Width-1:0] in_data,
  output logic [Width-1:0] out_data
);

`ifndef __ICARUS__
  if (Depth < 1) begin : gen_no_such_depth
    $error("gw_shift: Depth is at least 1");
  end
`endif

  logic [Depth*Width-1:0] data;  // the youngest word in the least significant bits

  assign out_data = data[Depth*Width-1-:Width];

  always_ff @(posedge clk) data <= (Depth*Width)'({data, in_data});

endmodule
