/// 16 words of 4 bits, read asynchronously.
module EG_LOGIC_DRAM16X4 #(
  parameter [15:0] INIT_D0 = 0, INIT_D1 = 0, INIT_D2 = 0, INIT_D3 = 0
) (
  input  [3:0] di,
  input  [3:0] waddr,
  input        wclk,
  input        we,
  input  [3:0] raddr,
  output [3:0] \do
);
  logic [3:0] words[16];

  initial foreach (words[i]) words[i] = {INIT_D3[i], INIT_D2[i], INIT_D1[i], INIT_D0[i]};

  always_ff @(posedge wclk) if (we) words[waddr] <= di;

  assign \do = words[raddr];
endmodule
