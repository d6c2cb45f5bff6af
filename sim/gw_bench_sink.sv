/// Records an AXI4-Stream port of the design under test and checks the rules of the protocol.
///
/// Takes a beat in every cycle in which `stall` is low; with `external` high the `external_tready`
/// of a driver in the test decides instead, sampled at the falling clock edge. The rules are
/// checked either way: tvalid stays high until the beat is taken, tdata and tlast are stable
/// meanwhile, tlast marks the last beat of a vector and no other, no beat comes after the last
/// vector, and reset clears tvalid. It does not know what the data ought to be.
module gw_bench_sink #(
  parameter int unsigned Port,
  parameter int unsigned Width,
  parameter int unsigned Beats  // per vector
) (
  input  logic             clk,
  input  logic             rst,
  input  logic             stall,
  input  logic [31:0]      vectors,
  input  longint unsigned  cycle,
  output logic             done,    // all vectors have come
  output logic             moved,   // a beat moves in this cycle
  output logic [31:0]      taken,   // beats taken since reset
  output logic             failed,  // a rule was broken since reset

  input  logic             tvalid,
  output logic             tready,
  input  logic [Width-1:0] tdata,
  input  logic             tlast,

  input  logic             external,
  input  logic             external_tready
);
  import gw_bench_pkg::*;

  localparam int unsigned Blocks = (Width + Block - 1) / Block;

  logic [31:0] in_vector, vector;
  logic        driven, driven_tready;
  logic        at_last, waiting, held_tlast, was_reset;
  logic [Width-1:0] held_tdata;

  assign at_last = in_vector == Beats - 1;
  assign done    = vector == vectors;
  assign moved   = tvalid && tready;
  assign tready  = driven ? driven_tready : !stall;

  function automatic void store(input logic [31:0] beat, input logic [Width-1:0] value);
    bit [Blocks*Block-1:0] data;
    data = (Blocks * Block)'(value);
    for (int unsigned i = 0; i < Blocks; i++) begin
      gw_bench_write(Port, beat, i, data[i*Block+:Block]);
    end
  endfunction

  always_ff @(posedge clk) begin
    was_reset <= rst;
    waiting   <= !rst && tvalid && !tready;
    if (rst) begin
      taken     <= '0;
      in_vector <= '0;
      vector    <= '0;
    end else if (moved && !done) begin
      taken     <= taken + 1;
      in_vector <= in_vector + 1;
      store(taken, tdata);
      if (in_vector == 0) gw_bench_stamp(Port, vector, 1'b0, cycle);
      if (at_last) begin
        gw_bench_stamp(Port, vector, 1'b1, cycle);
        in_vector <= '0;
        vector    <= vector + 1;
      end
    end
    if (tvalid && !tready) begin
      held_tdata <= tdata;
      held_tlast <= tlast;
    end
  end

  task automatic report(input string rule);
    failed <= 1'b1;
    gw_bench_fail(Port, taken, cycle, rule);
  endtask

  always_ff @(posedge clk) begin
    if (rst) begin
      failed <= 1'b0;
    end else if (!failed) begin
      if (was_reset && tvalid) report("tvalid is high after reset");
      else if (waiting && !tvalid) report("tvalid fell before tready took the beat");
      else if (waiting && tdata != held_tdata) report("tdata changed while tvalid waited for tready");
      else if (waiting && tlast != held_tlast) report("tlast changed while tvalid waited for tready");
      else if (tvalid && done) report("a beat came after the last vector");
      else if (tvalid && tlast && !at_last) report("tlast came before the last beat of a vector");
      else if (tvalid && !tlast && at_last) report("tlast is missing on the last beat of a vector");
    end
  end

  always_ff @(negedge clk) begin
    driven        <= external;
    driven_tready <= external && external_tready;
  end

endmodule
