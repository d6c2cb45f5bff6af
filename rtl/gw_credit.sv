/// Lets beats into a pipeline that never waits, as many as the FIFOs behind it have room for.
///
/// The pipeline has no handshake: a beat that enters leaves `Latency` clock cycles later, whatever
/// its reader does. `out_valid` marks the cycle in which it does, and a gw_fifo of `Latency` + 2
/// beats behind each output takes it; `out_taken` tells that a beat leaves that FIFO. Its place is
/// free in the next cycle, so that a beat a clock is sustained.
///
/// With several inputs, a beat of each enters at the same time. `in_ready` depends on registers and
/// the other inputs' `in_valid`; this is where the path from the outputs' ready is cut.
module gw_credit #(
  parameter int Inputs  = 1,
  parameter int Outputs = 1,
  // Register stages from the inputs to each output; output 0 in the low 32 bits.
  parameter logic [Outputs*32-1:0] Latency = {Outputs{32'd1}}
) (
  input  logic               clk,
  input  logic               rst,  // forgets what is in flight; empty the FIFOs with it

  input  logic [Inputs-1:0]  in_valid,
  output logic [Inputs-1:0]  in_ready,

  output logic [Outputs-1:0] out_valid,
  input  logic [Outputs-1:0] out_taken
);

  function automatic int longest();
    longest = 1;
    for (int i = 0; i < Outputs; i++) begin
      if (Latency[i*32+:32] > longest) longest = Latency[i*32+:32];
    end
  endfunction

  localparam int Stages = longest();

  logic               enter;
  logic [Stages-1:0]  passed;  // bit k: a beat entered k + 1 clock cycles ago
  logic [Outputs-1:0] room;

  assign enter = &in_valid && &room;

  for (genvar i = 0; i < Inputs; i++) begin : gen_input
    logic [Inputs-1:0] others;  // all ones where the other inputs have a beat
    assign others      = in_valid | (Inputs'(1) << i);
    assign in_ready[i] = &others && &room;
  end

  always_ff @(posedge clk) begin
    if (rst) passed <= '0;
    else passed <= Stages'({passed, enter});
  end

  for (genvar i = 0; i < Outputs; i++) begin : gen_output
    localparam int Stage = Latency[i*32+:32];
    localparam int Places = Stage + 2;
    localparam int PlaceBits = $clog2(Places + 1);

    logic [PlaceBits-1:0] places;  // free ones

    if (Stage == 0) begin : gen_wires
      assign out_valid[i] = enter;
    end else begin : gen_stages
      assign out_valid[i] = passed[Stage-1];
    end

    // A register, as every input reads it.
    always_ff @(posedge clk) begin
      if (rst) begin
        places  <= PlaceBits'(Places);
        room[i] <= 1'b1;
      end else if (enter && !out_taken[i]) begin
        places  <= places - 1'b1;
        room[i] <= places != PlaceBits'(1);
      end else if (out_taken[i] && !enter) begin
        places  <= places + 1'b1;
        room[i] <= 1'b1;
      end
    end
  end

endmodule
