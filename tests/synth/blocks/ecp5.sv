/// The multiplier with registers of CE0 at its operands, at its product, or at both.
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0",
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0",
  parameter REG_PIPELINE_CLK = "NONE",
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0",
  parameter RESETMODE = "SYNC", GSR = "ENABLED"
) (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  logic signed [18:0] a_now, b_now, a, b;
  logic [35:0] p, result;

  assign a_now = signed'({SIGNEDA && A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0});
  assign b_now = signed'({SIGNEDB && B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0});
  assign p = 36'(38'(a) * 38'(b));
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = result;

  if (REG_INPUTA_CLK == "CLK0") begin : gen_operands
    initial {a, b} = '0;
    always_ff @(posedge CLK0)
      if (RST0) {a, b} <= '0;
      else if (CE0) {a, b} <= {a_now, b_now};
  end else begin : gen_wires
    assign {a, b} = {a_now, b_now};
  end
  if (REG_OUTPUT_CLK == "CLK0") begin : gen_register
    logic [35:0] q = '0;
    always_ff @(posedge CLK0)
      if (RST0) q <= '0;
      else if (CE0) q <= p;
    assign result = q;
  end else begin : gen_product
    assign result = p;
  end
  if (REG_INPUTA_CLK != REG_INPUTB_CLK || !(REG_INPUTA_CLK inside {"CLK0", "NONE"}) || !(REG_OUTPUT_CLK inside {"CLK0", "NONE"}))
    $error("only registers of CLK0 are modelled");
  if (REG_PIPELINE_CLK != "NONE") $error("the register within the product is not modelled");
  if ((REG_INPUTA_CLK != "NONE" || REG_OUTPUT_CLK != "NONE") && (RESETMODE != "SYNC" || GSR != "DISABLED"))
    $error("only a synchronous RST0 is modelled");
  if (REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE0" || REG_OUTPUT_CE != "CE0" || REG_INPUTA_RST != "RST0" || REG_INPUTB_RST != "RST0" || REG_OUTPUT_RST != "RST0")
    $error("only CE0 and RST0 are modelled");

  logic unused;
  assign unused = ^{CLK0, CE0, RST0, SOURCEA, SOURCEB, C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0};
endmodule
