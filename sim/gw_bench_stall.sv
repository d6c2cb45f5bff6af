/// Decides from a seed in which clock cycles a driver pauses: a two-state Markov chain.
///
/// `enter` and `leave` are the probabilities, in units of 2^-32, of entering and of leaving a pause
/// in a cycle, so that the mean pause is 2^32 / leave cycles long. `enter` = 0 never pauses. The
/// random numbers are a 32-bit xorshift (Marsaglia, "Xorshift RNGs", 2003).
module gw_bench_stall #(
  parameter logic [31:0] Salt = '0  // makes the sequences of several ports differ
) (
  input  logic        clk,
  input  logic        rst,
  input  logic [31:0] seed,
  input  logic [31:0] enter,
  input  logic [31:0] leave,
  output logic        stall
);

  logic [31:0] state, a, b, draw;

  assign a    = state ^ (state << 13);
  assign b    = a ^ (a >> 17);
  assign draw = b ^ (b << 5);

  always_ff @(posedge clk) begin
    if (rst) begin
      state <= (seed ^ (Salt * 32'h9E37_79B9)) | 32'd1;
      stall <= 1'b0;
    end else begin
      state <= draw;
      stall <= stall ? draw >= leave : draw < enter;
    end
  end

endmodule
