/// Adds the two elements of `s_axis_x` and the one of `s_axis_y`, all signed and 5 bits wide.
///
/// One pipeline stage. The file fault.hex chooses what is wrong with it:
///   0 nothing                           5 reset does not clear tvalid
///   1 the 40th sum is lost              6 stops for good after 40 inputs
///   2 tdata changes while it waits      7 offers more sums after the 40th
///   3 tvalid falls while it waits       8 a sum is wrong after an idle cycle
///   4 tlast is missing                  9 ones in the padding of tdata
///                                      10 takes a pair of inputs every 64 clock cycles only
module adder (
  input  logic        clk,
  input  logic        rst,
  input  logic        s_axis_x_tvalid,
  output logic        s_axis_x_tready,
  input  logic [15:0] s_axis_x_tdata,
  input  logic        s_axis_x_tlast,
  input  logic        s_axis_y_tvalid,
  output logic        s_axis_y_tready,
  input  logic [7:0]  s_axis_y_tdata,
  input  logic        s_axis_y_tlast,
  output logic        m_axis_tvalid,
  input  logic        m_axis_tready,
  output logic [15:0] m_axis_tdata,
  output logic        m_axis_tlast
);

  logic [3:0] fault[1];
  logic [6:0] sum, next;
  logic [6:0] number;  // of the sum, from 0
  logic [5:0] rest;    // clock cycles since a pair was taken
  logic       valid, last, enable, open, take, took, waited, stopped, unused_padding;

  assign unused_padding = ^{s_axis_x_tdata[15:10], s_axis_y_tdata[7:5]};

  initial $readmemh("fault.hex", fault);

  assign stopped         = fault[0] == 6 && number == 40;
  assign enable          = (!valid || m_axis_tready) && !stopped;
  assign open            = enable && (fault[0] != 10 || rest == 0);
  assign take            = open && s_axis_x_tvalid && s_axis_y_tvalid;
  assign s_axis_x_tready = open && s_axis_y_tvalid;
  assign s_axis_y_tready = open && s_axis_x_tvalid;

  assign next = 7'(signed'(s_axis_x_tdata[4:0])) + 7'(signed'(s_axis_x_tdata[9:5]))
              + 7'(signed'(s_axis_y_tdata[4:0])) + 7'(fault[0] == 8 && !took);

  assign m_axis_tvalid = valid && !(fault[0] == 3 && waited) && !stopped;
  assign m_axis_tdata  = {fault[0] == 9, 8'd0, sum};
  assign m_axis_tlast  = last && fault[0] != 4;

  always_ff @(posedge clk) begin
    took   <= take;
    waited <= m_axis_tvalid && !m_axis_tready;
    rest   <= rst ? '0 : rest + 1;
    if (rst) begin
      number <= '0;
      if (fault[0] != 5) valid <= 1'b0;
    end else if (enable) begin
      valid  <= (take && !(fault[0] == 1 && number == 39)) || (fault[0] == 7 && number == 40);
      number <= number + 7'(take);
    end
    if (take) begin
      sum  <= next;
      last <= s_axis_x_tlast && s_axis_y_tlast;
    end else if (fault[0] == 2 && waited) begin
      sum <= sum + 1;
    end
  end

endmodule
