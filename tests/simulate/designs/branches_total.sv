/// Collects four beats, then answers four times with their sum; bit 8 marks the last answer.
module branches_total (
  input  logic       clk,
  input  logic       rst,
  input  logic       in_valid,
  output logic       in_ready,
  input  logic [7:0] in_data,
  output logic       out_valid,
  input  logic       out_ready,
  output logic [8:0] out_data
);

  logic [7:0] sum;
  logic [1:0] beat;
  logic       answer;

  assign in_ready  = !answer;
  assign out_valid = answer;
  assign out_data  = {beat == 3, sum};

  always_ff @(posedge clk) begin
    if (rst) begin
      beat   <= '0;
      answer <= 1'b0;
    end else if ((in_valid && in_ready) || (out_valid && out_ready)) begin
      beat <= beat + 1;
      if (beat == 3) answer <= !answer;
    end
    if (in_valid && in_ready) sum <= (beat == 0 ? 8'd0 : sum) + in_data;
  end

endmodule
