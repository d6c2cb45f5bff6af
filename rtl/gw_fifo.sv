/// Holds up to `Depth` beats of a stream, first in, first out.
///
/// A beat written in one clock cycle is offered at the output in the next; one beat a clock is
/// sustained. Depth 0 is wires. Depth 1 is a pipeline register: `in_ready` depends on `out_ready`.
/// From depth 2 on, `in_ready` depends on the registers alone, which cuts the path; so a full FIFO
/// takes no beat in the cycle in which it gives one. `level` counts the beats held.
///
/// RamStyle says where beats are kept: "registers", "distributed" (look-up-table RAM, read
/// asynchronously), "block" (read synchronously; the beat that is offered stands in a register, since
/// a block's words arrive late) or "auto": block from 8 Kibit on if that is more than 64 beats, else
/// left to the tool.
module gw_fifo #(
  parameter int Width    = 8,
  parameter int Depth    = 2,
  parameter              RamStyle = "auto"
) (
  input  logic             clk,
  input  logic             rst,  // empties it; data are not reset

  input  logic             in_valid,
  output logic             in_ready,
  input  logic [Width-1:0] in_data,

  output logic             out_valid,
  input  logic             out_ready,
  output logic [Width-1:0] out_data
);

  // Strings are vectors of as many bits as they have characters.
  localparam logic [87:0] Style = 88'(RamStyle);
  localparam bit Auto = Style == 88'("auto");
  localparam bit Block =
      Style == 88'("block") || (Auto && Depth > 64 && Depth * Width >= 8192);

`ifndef __ICARUS__
  if (!Auto && !Block && Style != 88'("distributed") && Style != 88'("registers"))
  begin : gen_no_such_style
    $error("gw_fifo: RamStyle is auto, block, distributed or registers");
  end
`endif

  localparam int LevelBits = Depth > 0 ? $clog2(Depth + 1) : 1;
  localparam int AddressBits = Depth > 1 ? $clog2(Depth) : 1;

  logic [LevelBits-1:0] level;

  if (Depth == 0) begin : gen_wires
    assign in_ready  = out_ready;
    assign out_valid = in_valid;
    assign out_data  = in_data;
    assign level     = '0;

    logic unused;
    assign unused = ^{clk, rst, level};
  end else begin : gen_fifo
    logic push, pop;
    assign push      = in_valid && in_ready;
    assign pop       = out_valid && out_ready;
    assign out_valid = level != '0;

    always_ff @(posedge clk) begin
      if (rst) level <= '0;
      else if (push && !pop) level <= level + LevelBits'(1);
      else if (pop && !push) level <= level - LevelBits'(1);
    end

    if (Depth == 1) begin : gen_register
      logic [Width-1:0] data;

      assign in_ready = !out_valid || out_ready;
      assign out_data = data;
      always_ff @(posedge clk) begin
        if (push) data <= in_data;
      end
    end else begin : gen_memory
      localparam logic [AddressBits-1:0] Last = AddressBits'(Depth - 1);

      logic [AddressBits-1:0] write_address, read_address, next_write, next_read;
      logic                   store, fetch;  // a beat enters the memory, and leaves it

      assign in_ready   = level != LevelBits'(Depth);
      assign next_write = write_address == Last ? '0 : write_address + AddressBits'(1);
      assign next_read  = read_address == Last ? '0 : read_address + AddressBits'(1);

      always_ff @(posedge clk) begin
        if (rst) begin
          write_address <= '0;
          read_address  <= '0;
        end else begin
          if (store) write_address <= next_write;
          if (fetch) read_address <= next_read;
        end
      end

      if (Block) begin : gen_block
        // A word that is read while it is written is not used.
        (* ram_style = "block", no_rw_check *)
        logic [Width-1:0]       memory [Depth];
        logic [Width-1:0]       data, read_data, bypass_data;
        logic                   direct, bypass;
        logic [AddressBits-1:0] fetch_address;

        // A beat that no other one is before goes past the memory, to the register at the output.
        assign direct   = push && level == LevelBits'(pop);
        assign store    = push && !direct;
        assign fetch    = pop && level != LevelBits'(1);
        assign out_data = data;

        always_ff @(posedge clk) begin
          if (direct) data <= in_data;
          else if (pop) data <= bypass ? bypass_data : read_data;
        end

        // What the register takes next is read one cycle ahead. A beat that is just being written
        // bypasses the memory; a cycle later the memory has it.
        assign fetch_address = fetch ? next_read : read_address;

        always_ff @(posedge clk) begin
          if (store) memory[write_address] <= in_data;
          read_data <= memory[fetch_address];
        end

        always_ff @(posedge clk) begin
          bypass      <= store && write_address == fetch_address;
          bypass_data <= in_data;
        end
      end else begin : gen_asynchronous
        (* ram_style = RamStyle *)
        logic [Width-1:0] memory [Depth];

        assign store    = push;
        assign fetch    = pop;
        assign out_data = memory[read_address];

        always_ff @(posedge clk) begin
          if (push) memory[write_address] <= in_data;
        end
      end
    end
  end

endmodule
