/// Delays words by `Depth` steps: a line buffer, which holds one or more rows of an image.
///
/// `out_data` is the `in_data` of `Depth` steps ago, stable between steps; it is undefined during
/// the first `Depth` steps. A memory that reads and writes one word per step; not a stream: it has
/// no handshake.
///
/// RamStyle says where the words are kept:
///   "distributed" memory with asynchronous read: LUTs
///   "block"       memory with a registered read, one step ahead: block RAM
///   "registers"   a shift register
///   "auto"        what takes the smallest share of a usual FPGA, which has some 160 LUTs for each
///                 18-kbit block RAM; a LUT counts as 56 bits of memory at most 64 words deep
/// A single word (Depth 1) is always kept in registers.
module gw_line_buffer #(
  parameter int Bits  = 8,  // of a word
  parameter int Depth = 28,
  parameter logic [87:0] RamStyle = "auto"  // 11 characters
) (
  input  logic            clk,
  input  logic            rst,  // the address; words stay
  input  logic            step,
  input  logic [Bits-1:0] in_data,
  output logic [Bits-1:0] out_data
);

`ifndef __ICARUS__
  if (Bits < 1 || Depth < 1) begin : gen_no_such_size
    $error("gw_line_buffer: Bits and Depth are at least 1");
  end
`endif

`ifndef __ICARUS__
  if (RamStyle != "auto" && RamStyle != "block" && RamStyle != "distributed" &&
      RamStyle != "registers") begin : gen_no_such_style
    $error("gw_line_buffer: RamStyle is auto, block, distributed or registers");
  end
`endif

  // Bits of a block RAM at this depth: 512 x 36, 1024 x 18, ... 16384 x 1.
  localparam int BlockBits =
      Depth <= 512 ? 36 : Depth <= 1024 ? 18 : Depth <= 2048 ? 9 : Depth <= 4096 ? 4 :
      Depth <= 8192 ? 2 : 1;
  localparam int Luts   = (8 * Bits + 6) / 7 * ((Depth + 63) / 64);
  localparam int Blocks = (Bits + BlockBits - 1) / BlockBits * ((Depth + 16383) / 16384);

  localparam bit Registers =
      Depth == 1 || RamStyle == "registers" || (RamStyle == "auto" && Depth == 2);
  localparam bit Block = RamStyle == "block" || (RamStyle == "auto" && Luts > 160 * Blocks);

  if (Registers) begin : gen_registers
    logic [Depth*Bits-1:0] words;  // the oldest in the least significant bits

    assign out_data = words[Bits-1:0];

    if (Depth == 1) begin : gen_one
      always_ff @(posedge clk) begin
        if (step) words <= in_data;
      end
    end else begin : gen_several
      always_ff @(posedge clk) begin
        if (step) words <= {in_data, words[Depth*Bits-1:Bits]};
      end
    end

    logic unused_rst;
    assign unused_rst = rst;
  end else begin : gen_memory
    localparam int AddressBits = $clog2(Depth);
    localparam logic [AddressBits-1:0] Last = AddressBits'(Depth - 1);

    logic [AddressBits-1:0] address, next;

    assign next = address == Last ? '0 : address + 1'b1;

    always_ff @(posedge clk) begin
      if (rst) address <= '0;
      else if (step) address <= next;
    end

    if (Block) begin : gen_block
      // Never reads the address that it writes.
      (* ram_style = "block", no_rw_check *)
      logic [Bits-1:0] words [Depth];

      always_ff @(posedge clk) begin
        if (step) begin
          words[address] <= in_data;
          out_data <= words[next];
        end
      end
    end else begin : gen_distributed
      (* ram_style = "distributed" *)
      logic [Bits-1:0] words [Depth];

      assign out_data = words[address];

      always_ff @(posedge clk) begin
        if (step) words[address] <= in_data;
      end
    end
  end

endmodule
