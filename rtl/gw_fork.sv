/// Copies a stream to several readers; each takes its copy when it is ready (an eager fork).
///
/// A beat is offered to all readers at once and leaves the input when the last of them takes it; a
/// flag per reader remembers which have taken it. `out_valid` does not depend on any `out_ready`,
/// nor `in_ready` on `in_valid`. Holds no data, so it adds no latency, and it does not cut the
/// combinational paths from `in_valid` to `out_valid` and from `out_ready` to `in_ready`.
module gw_fork #(
  parameter int Width   = 8,
  parameter int Outputs = 2
) (
  input  logic                       clk,
  input  logic                       rst,  // clears the flags

  input  logic                       in_valid,
  output logic                       in_ready,
  input  logic [Width-1:0]           in_data,

  output logic [Outputs-1:0]         out_valid,
  input  logic [Outputs-1:0]         out_ready,
  output logic [Outputs*Width-1:0]   out_data  // reader 0 in the least significant bits
);

  logic [Outputs-1:0] done;  // readers that have taken the beat that still waits at the input

  assign out_valid = {Outputs{in_valid}} & ~done;
  assign out_data  = {Outputs{in_data}};
  assign in_ready  = &(done | out_ready);

  always_ff @(posedge clk) begin
    if (rst) begin
      done <= '0;
    end else if (in_valid) begin
      done <= in_ready ? '0 : done | out_ready;
    end
  end

endmodule
