/// Memory that the bench shares with the cocotb test: packed beats in; packed beats, times and the
/// fill of FIFOs out.
///
/// The functions are defined in gw_bench.cpp. A port is numbered as the test attached it; beats are
/// counted from 0 since the last reset. Data move in blocks of `Block` bits, whatever the width of
/// the port, so that one compiled object serves every design.
package gw_bench_pkg;

  localparam int unsigned Block = 512;

  /// Bits [block * Block +: Block] of a beat that the test wants sent.
  import "DPI-C" function void gw_bench_read(input int unsigned port, input int unsigned beat,
                                             input int unsigned block,
                                             output bit [511:0] data);

  /// Store bits [block * Block +: Block] of a beat that the design has sent.
  import "DPI-C" function void gw_bench_write(input int unsigned port, input int unsigned beat,
                                              input int unsigned block, input bit [511:0] data);

  /// Note the clock cycle in which the first, or the last, beat of a vector was transferred.
  import "DPI-C" function void gw_bench_stamp(input int unsigned port, input int unsigned vector,
                                              input bit last, input longint unsigned cycle);

  /// Report that a port broke a rule of the protocol; the first report is kept.
  import "DPI-C" function void gw_bench_fail(input int unsigned port, input int unsigned beat,
                                             input longint unsigned cycle, input string rule);

  /// Register a FIFO by the path of its monitor; returns its number.
  import "DPI-C" function int unsigned gw_bench_fifo(input string path, input int unsigned depth);

  /// Report that a FIFO holds more beats than ever since the last reset.
  import "DPI-C" function void gw_bench_level(input int unsigned fifo, input int unsigned level);

  /// Report what a FIFO holds, and the state of its output, when the simulation is given up.
  import "DPI-C" function void gw_bench_state(input int unsigned fifo, input int unsigned level,
                                              input bit valid, input bit ready);

endpackage
