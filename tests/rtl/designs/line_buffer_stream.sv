/// A line buffer as a stream: each beat gives the one that came `Depth` beats before it.
module line_buffer_stream #(
  parameter int unsigned Bits  = 8,
  parameter int unsigned Depth = 28,
  parameter logic [87:0] RamStyle = "auto"
) (
  input  logic            clk,
  input  logic            rst,
  input  logic            in_valid,
  output logic            in_ready,
  input  logic [Bits-1:0] in_data,
  output logic            out_valid,
  input  logic            out_ready,
  output logic [Bits-1:0] out_data
);

  assign in_ready  = out_ready;
  assign out_valid = in_valid;

  gw_line_buffer #(.Bits(Bits), .Depth(Depth), .RamStyle(RamStyle)) u_line_buffer (
    .clk, .rst, .step(in_valid && out_ready), .in_data, .out_data
  );

endmodule
