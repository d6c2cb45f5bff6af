/// Feeds the operands of a time-multiplexed multiplier: inputs step by step, and the matching
/// address of a weight ROM.
///
/// A beat of `Lanes` elements is issued as steps of `Take` elements each, in order, the whole beat
/// `Rounds` times over: Rounds * Lanes / Take steps. The first step is offered in the cycle after
/// the beat arrived; the next beat is taken in the cycle in which the last step leaves: no bubbles.
///
/// `rom_address` counts the steps, 0 to Steps - 1, over as many beats as that takes, and starts
/// over. The ROM is not in here; it must have a registered output, enabled by `rom_enable`:
///
///     always_ff @(posedge clk) if (rom_enable) weights <= rom[rom_address];
///
/// `weights` then belong to the step that is offered. `in_ready` and `rom_enable` depend on
/// `out_ready`.
module gw_feed #(
  parameter  int Width       = 8,  // bits per element
  parameter  int Lanes       = 4,
  parameter  int Take        = 1,  // divides Lanes
  parameter  int Rounds      = 1,
  parameter  int Steps       = 4,  // multiple of Rounds * Lanes / Take
  localparam int AddressBits = Steps > 1 ? $clog2(Steps) : 1
) (
  input  logic                   clk,
  input  logic                   rst,  // drops the beat, back to address 0; data are not reset

  input  logic                   in_valid,
  output logic                   in_ready,
  input  logic [Lanes*Width-1:0] in_data,

  output logic                   out_valid,
  input  logic                   out_ready,
  output logic [Take*Width-1:0]  out_data,

  output logic                   rom_enable,
  output logic [AddressBits-1:0] rom_address
);

  localparam int BeatSteps = Rounds * Lanes / Take;
  localparam int BeatBits = BeatSteps > 1 ? $clog2(BeatSteps) : 1;
  localparam int Bits = Lanes * Width;
  localparam int StepBits = Take * Width;

`ifndef __ICARUS__
  if (Take < 1 || Rounds < 1 || Lanes % Take != 0) begin : gen_no_such_step
    $error("gw_feed: Take divides Lanes, Rounds is at least 1");
  end
  if (Steps < 1 || Steps % BeatSteps != 0) begin : gen_no_such_steps
    $error("gw_feed: Steps is a multiple of Rounds * Lanes / Take");
  end
`endif

  logic [Bits-1:0]     data;  // rotates so that the offered step is in the low bits
  logic [BeatBits-1:0] step;
  logic                load;  // nothing or a beat's last step is offered: a new beat may come
  logic                push, pop;

  assign in_ready   = load && (!out_valid || out_ready);
  assign push       = in_valid && in_ready;
  assign pop        = out_valid && out_ready;
  assign out_data   = data[StepBits-1:0];
  assign rom_enable = !out_valid || out_ready;

  always_ff @(posedge clk) begin
    if (rst) begin
      out_valid   <= 1'b0;
      load        <= 1'b1;
      step        <= '0;
      rom_address <= '0;
    end else begin
      if (push) out_valid <= 1'b1;
      else if (pop && load) out_valid <= 1'b0;
      // Chooses every bit of the data, so it is a register.
      if (push) load <= BeatSteps == 1;
      else if (pop) load <= load || step == BeatBits'(BeatSteps - 2);
      if (pop) step <= load ? '0 : step + BeatBits'(1);
      // The address is one step ahead, as the ROM takes a cycle.
      if (push || (pop && !load)) begin
        if (rom_address == AddressBits'(Steps - 1)) rom_address <= '0;
        else rom_address <= rom_address + AddressBits'(1);
      end
    end
  end

  // After the last step of a beat with no next beat, the data mean nothing.
  always_ff @(posedge clk) begin
    if (push || pop) data <= load ? in_data : (data >> StepBits) | (data << (Bits - StepBits));
  end

endmodule
