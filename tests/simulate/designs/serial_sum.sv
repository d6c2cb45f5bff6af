/// Adds the four elements of a vector that come one a beat, and answers with the sum in two beats.
///
/// The first beat of the answer is the sum, the second its negative. Takes no input meanwhile, so
/// that a vector costs six clock cycles.
module serial_sum (
  input  logic        clk,
  input  logic        rst,
  input  logic        s_axis_tvalid,
  output logic        s_axis_tready,
  input  logic [7:0]  s_axis_tdata,
  input  logic        s_axis_tlast,
  output logic        m_axis_tvalid,
  input  logic        m_axis_tready,
  output logic [15:0] m_axis_tdata,
  output logic        m_axis_tlast
);

  logic [9:0] sum;
  logic       first, answer, second;

  assign s_axis_tready = !answer;
  assign m_axis_tvalid = answer;
  assign m_axis_tlast  = second;
  assign m_axis_tdata  = {6'd0, second ? -sum : sum};

  always_ff @(posedge clk) begin
    if (rst) begin
      first  <= 1'b1;
      answer <= 1'b0;
      second <= 1'b0;
    end else if (s_axis_tvalid && s_axis_tready) begin
      first  <= s_axis_tlast;
      answer <= s_axis_tlast;
    end else if (m_axis_tvalid && m_axis_tready) begin
      second <= !second;
      answer <= !second;
    end
    if (s_axis_tvalid && s_axis_tready) begin
      sum <= (first ? 10'd0 : sum) + 10'(signed'(s_axis_tdata));
    end
  end

endmodule
