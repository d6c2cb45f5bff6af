/// Joins streams one after another: concatenation along the first axis.
///
/// Passes all beats of a tensor from input 0, then those from input 1, and so on, then starts
/// again. All inputs have beats of the same width. An input waits for its turn: put a FIFO before
/// it if its stream must not be held up.
///
/// Combinational: a beat is offered in the cycle in which it arrives, and leaves the input when it
/// is taken. One beat a clock, with no gap between inputs or tensors. `in_ready` depends
/// combinationally on `out_ready`, `out_valid` on `in_valid`.
module gw_concat #(
  parameter int Bits   = 8,  // of a beat
  parameter int Inputs = 2,
  parameter logic [Inputs*32-1:0] Beats = {Inputs{32'd1}}  // per tensor; input 0 in the low 32 bits
) (
  input  logic                   clk,
  input  logic                   rst,  // to the start of a tensor

  input  logic [Inputs-1:0]      in_valid,
  output logic [Inputs-1:0]      in_ready,
  input  logic [Inputs*Bits-1:0] in_data,  // input 0 in the least significant bits

  output logic                   out_valid,
  input  logic                   out_ready,
  output logic [Bits-1:0]        out_data
);

  function automatic int most_beats();
    most_beats = 0;
    for (int i = 0; i < Inputs; i++) begin
      if (Beats[i*32+:32] > most_beats) most_beats = Beats[i*32+:32];
    end
  endfunction

  localparam int TurnBits  = Inputs > 1 ? $clog2(Inputs) : 1;
  localparam int CountBits = $clog2(most_beats() + 1);

`ifndef __ICARUS__
  if (Bits < 1 || Inputs < 1) begin : gen_no_such_size
    $error("gw_concat: Bits and Inputs are at least 1");
  end
`endif

  logic [TurnBits-1:0]  turn;   // the input that passes
  logic [CountBits-1:0] count;  // its beats that have passed
  logic [Inputs-1:0]    chosen, last;

  for (genvar i = 0; i < Inputs; i++) begin : gen_input
`ifndef __ICARUS__
    if (Beats[i*32+:32] == 0) begin : gen_no_beats
      $error("gw_concat: every input has at least 1 beat");
    end
`endif
    assign chosen[i]   = turn == TurnBits'(i);
    assign last[i]     = chosen[i] && count == CountBits'(Beats[i*32+:32] - 1);
    assign in_ready[i] = chosen[i] && out_ready;
  end

  assign out_valid = |(in_valid & chosen);

  // An index that is no power of two times a number would become a multiplier.
  always_comb begin
    out_data = '0;
    for (int i = 0; i < Inputs; i++) out_data |= in_data[i*Bits+:Bits] & {Bits{chosen[i]}};
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      turn  <= '0;
      count <= '0;
    end else if (out_valid && out_ready) begin
      count <= |last ? '0 : count + 1'b1;
      if (|last) turn <= chosen[Inputs-1] ? '0 : turn + 1'b1;
    end
  end

endmodule
