/// Offers each beat of a stream several times, with the matching address of a ROM.
///
/// The ROM says how often: `rom_last` marks the last step of a beat. The first step is offered in
/// the cycle after the beat arrived; the next beat is taken in the cycle in which the last step
/// leaves: no bubbles.
///
/// `rom_address` counts the steps, 0 to Steps - 1, over as many beats as that takes, and starts
/// over. The ROM is not in here; it must have a registered output, enabled by `rom_enable`:
///
///     always_ff @(posedge clk) if (rom_enable) {rom_last, weights} <= rom[rom_address];
///
/// They then belong to the step that is offered. `in_ready` and `rom_enable` depend on `out_ready`,
/// `in_ready` on `rom_last`, too.
module gw_repeat #(
  parameter  int Bits        = 8,
  parameter  int Steps       = 4,  // of all beats whose words the ROM holds
  localparam int AddressBits = Steps > 1 ? $clog2(Steps) : 1
) (
  input  logic                   clk,
  input  logic                   rst,  // drops the beat, back to address 0; data are not reset

  input  logic                   in_valid,
  output logic                   in_ready,
  input  logic [Bits-1:0]        in_data,

  output logic                   out_valid,
  input  logic                   out_ready,
  output logic [Bits-1:0]        out_data,

  output logic                   rom_enable,
  output logic [AddressBits-1:0] rom_address,
  input  logic                   rom_last
);

`ifndef __ICARUS__
  if (Steps < 1) begin : gen_no_steps
    $error("gw_repeat: Steps is at least 1");
  end
`endif

  logic push, pop;

  assign in_ready   = !out_valid || (out_ready && rom_last);
  assign push       = in_valid && in_ready;
  assign pop        = out_valid && out_ready;
  assign rom_enable = !out_valid || out_ready;

  always_ff @(posedge clk) begin
    if (rst) begin
      out_valid   <= 1'b0;
      rom_address <= '0;
    end else begin
      if (push) out_valid <= 1'b1;
      else if (pop && rom_last) out_valid <= 1'b0;
      // The address is one step ahead, as the ROM takes a cycle.
      if (push || (pop && !rom_last)) begin
        if (rom_address == AddressBits'(Steps - 1)) rom_address <= '0;
        else rom_address <= rom_address + AddressBits'(1);
      end
    end
  end

  always_ff @(posedge clk) begin
    if (push) out_data <= in_data;
  end

endmodule
