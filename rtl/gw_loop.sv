/// Holds the state of a loop: each beat, with the state, makes the next state.
///
/// What makes it stands outside: it gets the state as a beat of the stream `go`, reads the beat at
/// the input, which stays until the step has ended, and gives the next state to `back`. Until then
/// `go_data` keeps its value, so both may be read at any time in between. A step begins as soon as
/// a beat is there, the step before has ended, and the result register is or becomes free.
///
/// After `Steps` beats the state is zero again. The lowest `OutBits` bits of what is written to it
/// leave through a register: of each step, or of the last one only. `in_ready` depends on
/// `back_valid`, `go_valid` on `in_valid` and `out_ready`; `out_valid` and `back_ready` on neither.
module gw_loop #(
  parameter int StateBits = 8,
  parameter int OutBits   = 8,
  parameter int Steps     = 2,
  parameter int Every     = 0  // whether each step gives a result
) (
  input  logic                 clk,
  input  logic                 rst,  // ends the step, and the state is zero

  input  logic                 in_valid,
  output logic                 in_ready,

  output logic                 go_valid,
  input  logic                 go_ready,
  output logic [StateBits-1:0] go_data,

  input  logic                 back_valid,
  output logic                 back_ready,
  input  logic [StateBits-1:0] back_data,

  output logic                 out_valid,
  input  logic                 out_ready,
  output logic [OutBits-1:0]   out_data
);

`ifndef __ICARUS__
  if (Steps < 1 || OutBits > StateBits) begin : gen_nothing
    $error("gw_loop: Steps is at least 1, OutBits at most StateBits");
  end
`endif

  logic busy, last, gives;

  assign go_valid   = in_valid && !busy && (!out_valid || out_ready);
  assign back_ready = 1'b1;
  assign in_ready   = back_valid;
  assign gives      = back_valid && (Every != 0 || last);

  always_ff @(posedge clk) begin
    if (rst) begin
      busy      <= 1'b0;
      out_valid <= 1'b0;
    end else begin
      busy <= (busy || (go_valid && go_ready)) && !back_valid;
      if (gives) out_valid <= 1'b1;
      else if (out_ready) out_valid <= 1'b0;
    end
  end

  if (Steps == 1) begin : gen_one_step
    assign last = 1'b1;
  end else begin : gen_steps
    localparam int StepBits = $clog2(Steps);

    logic [StepBits-1:0] step;

    assign last = step == StepBits'(Steps - 1);

    always_ff @(posedge clk) begin
      if (rst) step <= '0;
      else if (back_valid) step <= last ? '0 : step + StepBits'(1);
    end
  end

  always_ff @(posedge clk) begin
    if (rst || (back_valid && last)) go_data <= '0;
    else if (back_valid) go_data <= back_data;
  end

  always_ff @(posedge clk) begin
    if (gives) out_data <= back_data[OutBits-1:0];
  end

endmodule
