/// Adds every `Steps` beats of a stream lane by lane, starting from a bias, modulo 2**Width.
///
/// Inputs are signed; bits beyond `Width` are dropped. The bias has a word for every lane of every
/// group: each sum starts from the next group's bias, and after the last group the first one
/// follows. A sum is offered in the cycle after its last beat was taken, and the next beat is taken
/// while the sum leaves: no bubbles. A sum that waits is kept in the accumulator itself, so input
/// beats wait with it: put a gw_fifo after it if the reader is irregular. `in_ready` depends on
/// `out_ready`.
module gw_accumulate #(
  parameter int Lanes   = 1,
  parameter int InWidth = 8,  // bits per element
  parameter int Width   = 16,
  parameter int Steps   = 2,
  parameter int Groups  = 1,
  // Lane 0 of group 0 in the least significant bits.
  parameter logic [Groups*Lanes*Width-1:0] Bias = '0
) (
  input  logic                     clk,
  input  logic                     rst,  // back to the first beat and group; data are not reset

  input  logic                     in_valid,
  output logic                     in_ready,
  input  logic [Lanes*InWidth-1:0] in_data,

  output logic                     out_valid,
  input  logic                     out_ready,
  output logic [Lanes*Width-1:0]   out_data
);

`ifndef __ICARUS__
  if (Lanes < 1 || Groups < 1) begin : gen_nothing
    $error("gw_accumulate: Lanes and Groups are at least 1");
  end
`endif

  logic take, first;

  gw_reduce #(.Steps(Steps)) u_reduce (
    .clk, .rst, .in_valid, .in_ready, .out_valid, .out_ready, .take, .first
  );

  logic [Lanes*Width-1:0] bias;
  if (Groups == 1) begin : gen_bias
    assign bias = Bias;
  end else begin : gen_biases
    localparam int GroupBits = $clog2(Groups);

    logic [GroupBits-1:0] group;

    always_ff @(posedge clk) begin
      if (rst) group <= '0;
      else if (take && first) group <= group == GroupBits'(Groups - 1) ? '0 : group + GroupBits'(1);
    end

    // An index that is no power of two times a number would become a multiplier.
    always_comb begin
      bias = '0;
      for (int i = 0; i < Groups; i++) begin
        if (group == GroupBits'(i)) bias = Bias[i*Lanes*Width+:Lanes*Width];
      end
    end
  end

  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic signed [InWidth-1:0] addend;
    logic [Width-1:0]          sum;

    assign addend = in_data[i*InWidth+:InWidth];
    assign out_data[i*Width+:Width] = sum;

    always_ff @(posedge clk) begin
      if (take) sum <= (first ? bias[i*Width+:Width] : sum) + Width'(addend);
    end

    if (InWidth > Width) begin : gen_dropped
      logic unused;
      assign unused = ^addend[InWidth-1:Width];
    end
  end

endmodule
