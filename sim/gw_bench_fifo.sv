/// Watches a `gw_fifo` that it is bound to: how many beats it holds at most, and whether it is stuck.
///
/// Counts the beats from the transfers at both ends, so that it depends on nothing inside, and calls
/// out of the simulation only at a new maximum, and once if the simulation is given up.
module gw_bench_fifo #(
  parameter int unsigned Depth
) (
  input logic clk,
  input logic rst,
  input logic give_up,  // the simulation ends because it is stuck
  input logic in_valid,
  input logic in_ready,
  input logic out_valid,
  input logic out_ready
);
  import gw_bench_pkg::*;

  int unsigned number;
  logic [31:0] level, highest;

  initial number = gw_bench_fifo($sformatf("%m"), Depth);

  always_ff @(posedge clk) begin
    if (rst) begin
      level   <= '0;
      highest <= '0;
    end else begin
      level <= level + 32'(in_valid && in_ready) - 32'(out_valid && out_ready);
      if (level > highest) begin
        highest <= level;
        gw_bench_level(number, level);
      end
      if (give_up) gw_bench_state(number, level, out_valid, out_ready);
    end
  end

endmodule
