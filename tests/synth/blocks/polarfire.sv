/// A register; Yosys' model has a latch as well, which Verilator doesn't take.
module SLE (
  output logic Q,
  input ADn, input ALn, input CLK, input D, input LAT, input SD, input EN, input SLn
);
  always_ff @(posedge CLK, negedge ALn) begin
    if (!ALn) Q <= !ADn;
    else if (EN) Q <= SLn ? D : SD;
  end

  logic unused;
  assign unused = LAT;
endmodule
