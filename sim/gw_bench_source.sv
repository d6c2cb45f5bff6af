/// Plays a stream of packed beats into an AXI4-Stream port of the design under test.
///
/// Offers a beat in every cycle in which `stall` is low, holds it until it is taken, and starts
/// again at beat 0 after a reset. `pace` spreads the beats of a vector evenly over that many
/// cycles: no two beats are offered less than floor(pace / Beats) cycles apart, no two vectors less
/// than `pace`. Time lost while a beat waits is not made up. With `external` high it hands the port
/// to the `external_*` signals instead, sampled at the falling clock edge, for drivers in the test.
module gw_bench_source #(
  parameter int unsigned Port,
  parameter int unsigned Width,
  parameter int unsigned Beats  // per vector
) (
  input  logic             clk,
  input  logic             rst,
  input  logic             run,
  input  logic             stall,
  input  logic [31:0]      vectors,
  input  logic [31:0]      pace,   // least cycles per vector
  input  longint unsigned  cycle,
  output logic             done,   // all vectors have been taken
  output logic             moved,  // a beat moves in this cycle
  output logic [31:0]      taken,  // beats taken since reset

  output logic             tvalid,
  input  logic             tready,
  output logic [Width-1:0] tdata,
  output logic             tlast,

  input  logic             external,
  input  logic             external_tvalid,
  input  logic [Width-1:0] external_tdata,
  input  logic             external_tlast
);
  import gw_bench_pkg::*;

  localparam int unsigned Blocks = (Width + Block - 1) / Block;

  logic [31:0] offered, in_vector, vector;
  logic [32:0] credit;  // grows by Beats a cycle; a beat costs `pace`
  logic        due, offer;
  logic        own_tvalid, own_tlast, driven_tvalid, driven_tlast, driven;
  logic [Width-1:0] own_tdata, driven_tdata;

  assign due   = pace <= Beats || credit >= 33'(pace);
  assign offer = run && !stall && due && (!own_tvalid || tready) && offered != vectors * Beats;

  assign done  = vector == vectors;
  assign moved = tvalid && tready;

  assign tvalid = driven ? driven_tvalid : own_tvalid;
  assign tdata  = driven ? driven_tdata : own_tdata;
  assign tlast  = driven ? driven_tlast : own_tlast;

  function automatic logic [Width-1:0] fetch(input logic [31:0] beat);
    // The last block may be wider than what is left of the beat.
    // verilator lint_off UNUSEDSIGNAL
    bit [Blocks*Block-1:0] data;
    // verilator lint_on UNUSEDSIGNAL
    for (int unsigned i = 0; i < Blocks; i++) begin
      gw_bench_read(Port, beat, i, data[i*Block+:Block]);
    end
    return data[Width-1:0];
  endfunction

  always_ff @(posedge clk) begin
    if (rst) begin
      own_tvalid <= 1'b0;
      offered    <= '0;
      credit     <= 33'(pace);
    end else begin
      if (offer) begin
        own_tvalid <= 1'b1;
        own_tdata  <= fetch(offered);
        own_tlast  <= offered % Beats == Beats - 1;
        offered    <= offered + 1;
      end else if (tready) begin
        own_tvalid <= 1'b0;
      end
      if (offer) credit <= credit - 33'(pace) + 33'(Beats);
      else if (!due) credit <= credit + 33'(Beats);
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      taken     <= '0;
      in_vector <= '0;
      vector    <= '0;
    end else if (moved) begin
      taken     <= taken + 1;
      in_vector <= in_vector + 1;
      if (in_vector == 0) gw_bench_stamp(Port, vector, 1'b0, cycle);
      if (in_vector == Beats - 1) begin
        in_vector <= '0;
        vector    <= vector + 1;
      end
    end
  end

  always_ff @(negedge clk) begin
    driven        <= external;
    driven_tvalid <= external && external_tvalid;
    driven_tdata  <= external_tdata;
    driven_tlast  <= external_tlast;
  end

endmodule
