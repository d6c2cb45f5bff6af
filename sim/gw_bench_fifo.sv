/// Watches a `gw_fifo` that it is bound to: how many beats it holds at most, and whether it is stuck.
///
/// Calls out of the simulation only at a new maximum, and once if the simulation is given up.
module gw_bench_fifo #(
  parameter int unsigned Depth
) (
  input logic        clk,
  input logic        rst,
  input logic        give_up,  // the simulation ends because it is stuck
  input logic [31:0] level,    // beats held
  input logic        out_valid,
  input logic        out_ready
);
  import gw_bench_pkg::*;

  int unsigned number;
  logic [31:0] highest;

  initial number = gw_bench_fifo($sformatf("%m"), Depth);

  always_ff @(posedge clk) begin
    if (rst) begin
      highest <= '0;
    end else begin
      if (level > highest) begin
        highest <= level;
        gw_bench_level(number, level);
      end
      if (give_up) gw_bench_state(number, level, out_valid, out_ready);
    end
  end

endmodule
