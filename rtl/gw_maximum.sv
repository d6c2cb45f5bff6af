/// The greatest of every `Steps` beats of a stream, lane by lane.
///
/// The result is offered in the cycle after its last beat was taken, and the next beat is taken
/// while it leaves: no bubbles. A result that waits is kept in the running maximum itself, so input
/// beats wait with it: put a gw_fifo after it if the reader is irregular. `in_ready` depends on
/// `out_ready`.
module gw_maximum #(
  parameter int Lanes  = 1,
  parameter int Width  = 8,  // bits per element
  parameter bit          Signed = 1'b1,
  parameter int Steps  = 2
) (
  input  logic                   clk,
  input  logic                   rst,  // back to the first beat; data are not reset

  input  logic                   in_valid,
  output logic                   in_ready,
  input  logic [Lanes*Width-1:0] in_data,

  output logic                   out_valid,
  input  logic                   out_ready,
  output logic [Lanes*Width-1:0] out_data
);

`ifndef __ICARUS__
  if (Lanes < 1) begin : gen_nothing
    $error("gw_maximum: Lanes is at least 1");
  end
`endif

  logic take, first;

  gw_reduce #(.Steps(Steps)) u_reduce (
    .clk, .rst, .in_valid, .in_ready, .out_valid, .out_ready, .take, .first
  );

  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic [Width-1:0] value, greatest;
    logic             greater;

    assign value = in_data[i*Width+:Width];
    assign out_data[i*Width+:Width] = greatest;

    if (Signed) begin : gen_signed
      assign greater = $signed(value) > $signed(greatest);
    end else begin : gen_unsigned
      assign greater = value > greatest;
    end

    always_ff @(posedge clk) begin
      if (take && (first || greater)) greatest <= value;
    end
  end

endmodule
