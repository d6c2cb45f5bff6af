/// The handshake of a unit that reduces every `Steps` beats of a stream to one.
///
/// A beat is taken when `take` is high; `first` marks the first beat of a reduction. The result is
/// offered in the cycle after the last beat was taken; the next beat may come while it leaves. The
/// data are in the surrounding unit: its one register, enabled by `take`, is also the output.
module gw_reduce #(
  parameter int Steps = 2
) (
  input  logic clk,
  input  logic rst,  // back to the first beat

  input  logic in_valid,
  output logic in_ready,

  output logic out_valid,
  input  logic out_ready,

  output logic take,
  output logic first
);

`ifndef __ICARUS__
  if (Steps < 1) begin : gen_no_such_steps
    $error("gw_reduce: Steps is at least 1");
  end
`endif

  logic last;

  assign in_ready = !out_valid || out_ready;
  assign take     = in_valid && in_ready;

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (in_ready) out_valid <= in_valid && last;
  end

  if (Steps == 1) begin : gen_one
    assign first = 1'b1;
    assign last  = 1'b1;
  end else begin : gen_many
    localparam int StepBits = $clog2(Steps);

    logic [StepBits-1:0] step;

    assign last = step == StepBits'(Steps - 1);

    // `first` is read by every bit of the data, so it is a register.
    always_ff @(posedge clk) begin
      if (rst) begin
        step  <= '0;
        first <= 1'b1;
      end else if (take) begin
        step  <= last ? '0 : step + StepBits'(1);
        first <= last;
      end
    end
  end

endmodule
