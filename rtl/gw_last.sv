/// Marks the last of every `Beats` beats of a stream that runs past it.
///
/// `last` belongs to the beat that is offered; it does not depend on `ready` in the same cycle.
module gw_last #(
  parameter int Beats = 2
) (
  input  logic clk,
  input  logic rst,  // the next beat is the first

  input  logic valid,
  input  logic ready,
  output logic last
);

`ifndef __ICARUS__
  if (Beats < 2) begin : gen_no_such_count
    $error("gw_last: Beats is at least 2");
  end
`endif

  localparam int Bits = $clog2(Beats);

  logic [Bits-1:0] count;

  assign last = count == Bits'(Beats - 1);

  always_ff @(posedge clk) begin
    if (rst) count <= '0;
    else if (valid && ready) count <= last ? '0 : count + 1'b1;
  end

endmodule
