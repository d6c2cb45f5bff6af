// Simulation models of DSP slices and block RAMs, as far as netlists of Gatewright's designs use
// them. Written from AMD's user guides UG473 and UG573 (block RAM) and UG579 (DSP48E2); what is not
// modelled ends the simulation.

/// A block RAM of two ports. A read of what the other port writes at the same time is undefined
/// unless that port is READ_FIRST; here it gives the complement of what is stored.
module block_ram #(
  parameter int unsigned Lines = 64,  // of 256 bits
  parameter int unsigned PortBytes = 2,
  parameter bit [Lines*256-1:0] Init = '0,
  parameter bit [Lines*32-1:0] InitParity = '0,
  parameter int ReadA = 0,  // bits, with parity; 0: unused
  parameter int ReadB = 0,
  parameter int WriteA = 0,
  parameter int WriteB = 0,
  parameter ModeA = "WRITE_FIRST",
  parameter ModeB = "WRITE_FIRST"
) (
  input  logic                     clk_a,
  input  logic                     enable_a,
  input  logic                     reset_a,
  input  logic [2*PortBytes-1:0]   write_a,
  input  logic [15:0]              address_a,
  output logic [16*PortBytes-1:0]  out_a,
  output logic [2*PortBytes-1:0]   parity_out_a,
  input  logic                     clk_b,
  input  logic                     enable_b,
  input  logic                     reset_b,
  input  logic [2*PortBytes-1:0]   write_b,
  input  logic [15:0]              address_b,
  output logic [16*PortBytes-1:0]  out_b,
  output logic [2*PortBytes-1:0]   parity_out_b,
  input  logic [8*PortBytes-1:0]   in_a,
  input  logic [PortBytes-1:0]     parity_in_a,
  input  logic [16*PortBytes-1:0]  in_b,
  input  logic [2*PortBytes-1:0]   parity_in_b
);

  localparam int unsigned Bits = Lines * 256;

  logic [Bits-1:0]   data;
  logic [Bits/8-1:0] parity;
  initial begin
    data   = Init;
    parity = InitParity;
  end

  function automatic int unsigned data_bits(int width);
    return width >= 9 ? 8 * (width / 9) : width > 0 ? width : 1;
  endfunction

  // The first bit of the word of some width that an address means.
  function automatic int unsigned place(logic [15:0] address, int width);
    int unsigned bits = data_bits(width);
    return (32'(address) % Bits) / bits * bits;
  endfunction

  function automatic logic overlap(logic [15:0] one, int width_one, logic [15:0] two,
                                   int width_two);
    int unsigned a = place(one, width_one), b = place(two, width_two);
    return a < b + data_bits(width_two) && b < a + data_bits(width_one);
  endfunction

  // A write, byte by byte where there are bytes.
  task automatic store(logic [15:0] address, int width, logic [2*PortBytes-1:0] enable,
                       logic [16*PortBytes-1:0] value, logic [2*PortBytes-1:0] value_parity);
    int unsigned first = place(address, width);
    if (width < 9) begin
      if (enable[0]) for (int i = 0; i < width; i++) data[first+i] <= value[i];
    end else begin
      for (int i = 0; i < width / 9; i++) begin
        if (enable[i]) begin
          data[first+8*i+:8]  <= value[8*i+:8];
          parity[first/8+i] <= value_parity[i];
        end
      end
    end
  endtask

  wire writes_a = WriteA > 0 && enable_a && |write_a;
  wire writes_b = WriteB > 0 && enable_b && |write_b;
  wire spoils_a = writes_b && ModeB != "READ_FIRST" && overlap(address_a, ReadA, address_b, WriteB);
  wire spoils_b = writes_a && ModeA != "READ_FIRST" && overlap(address_b, ReadB, address_a, WriteA);

  always @(posedge clk_a) begin
    if (writes_a) begin
      store(address_a, WriteA, write_a, (16*PortBytes)'(in_a), (2*PortBytes)'(parity_in_a));
      if (ReadA > 0 && ModeA != "READ_FIRST") $fatal(1, "block_ram: reads what it writes");
    end
    if (ReadA > 0 && enable_a) begin
      if (reset_a) $fatal(1, "block_ram: reset of the output");
      out_a <= data[place(address_a, ReadA)+:16*PortBytes] ^ {16 * PortBytes{spoils_a}};
      parity_out_a <= parity[place(address_a, ReadA)/8+:2*PortBytes] ^ {2 * PortBytes{spoils_a}};
    end
  end

  always @(posedge clk_b) begin
    if (writes_b) begin
      store(address_b, WriteB, write_b, in_b, parity_in_b);
      if (ReadB > 0 && ModeB != "READ_FIRST") $fatal(1, "block_ram: reads what it writes");
    end
    if (ReadB > 0 && enable_b) begin
      if (reset_b) $fatal(1, "block_ram: reset of the output");
      out_b <= data[place(address_b, ReadB)+:16*PortBytes] ^ {16 * PortBytes{spoils_b}};
      parity_out_b <= parity[place(address_b, ReadB)/8+:2*PortBytes] ^ {2 * PortBytes{spoils_b}};
    end
  end

endmodule

/// The DSP slice of UltraScale+: a 27 x 18 multiplier and a 48-bit adder.
module DSP48E2 #(
  parameter integer ACASCREG = 1,
  parameter integer ADREG = 1,
  parameter integer ALUMODEREG = 1,
  parameter integer AREG = 1,
  parameter integer BCASCREG = 1,
  parameter integer BREG = 1,
  parameter integer CARRYINREG = 1,
  parameter integer CARRYINSELREG = 1,
  parameter integer CREG = 1,
  parameter integer DREG = 1,
  parameter integer INMODEREG = 1,
  parameter integer MREG = 1,
  parameter integer OPMODEREG = 1,
  parameter integer PREG = 1,
  parameter A_INPUT = "DIRECT",
  parameter B_INPUT = "DIRECT",
  parameter AMULTSEL = "A",
  parameter BMULTSEL = "B",
  parameter USE_DPORT = "FALSE",  // of the DSP48E1, by whose rules registers are packed
  parameter USE_MULT = "MULTIPLY",
  parameter USE_SIMD = "ONE48"
) (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  output logic [47:0] P,
  output logic [47:0] PCOUT,
  input  logic [4:0]  INMODE,
  input  logic [3:0]  ALUMODE,
  input  logic [8:0]  OPMODE,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CARRYIN,
  input  logic [29:0] ACIN,
  input  logic [17:0] BCIN,
  input  logic [47:0] PCIN,
  input  logic        CEA1, CEA2, CEB1, CEB2, CEC, CEM, CEP,
  input  logic        RSTA, RSTB, RSTC, RSTM, RSTP
);

  if (ADREG != 0 || ALUMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0 || DREG != 0 ||
      INMODEREG != 0 || OPMODEREG != 0 || A_INPUT != "DIRECT" || B_INPUT != "DIRECT" ||
      AMULTSEL != "A" || BMULTSEL != "B" || USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48")
  begin : gen_not_modelled
    $error("DSP48E2: not modelled");
  end

  logic [29:0] a1, a2, a;
  logic [17:0] b1, b2, b;
  logic [47:0] c1, c, p, sum;
  logic signed [44:0] product, m1, m;

  always_ff @(posedge CLK) begin
    if (INMODE != 0 || ALUMODE != 0 || CARRYINSEL != 0 || CARRYIN)
      $fatal(1, "DSP48E2: mode is not modelled");
    if (RSTA) {a1, a2} <= '0;
    else begin
      if (CEA1) a1 <= A;
      if (CEA2) a2 <= AREG == 2 ? a1 : A;
    end
    if (RSTB) {b1, b2} <= '0;
    else begin
      if (CEB1) b1 <= B;
      if (CEB2) b2 <= BREG == 2 ? b1 : B;
    end
    if (RSTC) c1 <= '0;
    else if (CEC) c1 <= C;
    if (RSTM) m1 <= '0;
    else if (CEM) m1 <= product;
    if (RSTP) p <= '0;
    else if (CEP) p <= sum;
  end

  assign a       = AREG == 0 ? A : a2;
  assign b       = BREG == 0 ? B : b2;
  assign c       = CREG == 0 ? C : c1;
  assign product = 45'($signed(a[26:0])) * 45'($signed(b));
  assign m       = MREG == 0 ? product : m1;
  assign P       = PREG == 0 ? sum : p;
  assign PCOUT   = P;

  logic [47:0] z;
  always_comb begin
    unique case (OPMODE[6:4])
      3'b000:  z = '0;
      3'b001:  z = PCIN;
      3'b010:  z = p;
      3'b011:  z = c;
      3'b101:  z = 48'($signed(PCIN[47:17]));
      default: z = 'x;
    endcase
    unique case ({OPMODE[8:7], OPMODE[3:0]})
      6'b00_0101: sum = z + 48'(m);
      6'b00_0000: sum = z;
      default:    sum = 'x;
    endcase
  end

endmodule
