/// Repeats the pixels of images: nearest-neighbour up-sampling by whole factors.
///
/// One pixel per beat, row by row; each pixel goes out FactorWidth times in a row, and each such
/// row FactorHeight times. All rows are treated alike, so nothing depends on Height; it is only
/// there for uniformity. With FactorHeight 1 it up-samples a sequence and holds no row; otherwise a
/// gw_line_buffer holds one row (see there for RamStyle).
///
/// One register on valid and data: the first copy of a pixel is offered in the cycle after the
/// pixel was taken. A row is taken while its first copy goes out; then the input waits for the
/// others. One beat a clock, FactorHeight * FactorWidth * Width clock cycles per row of the input,
/// with no gap between rows or images. `in_ready` depends combinationally on `out_ready`.
module gw_upsample #(
  parameter int Bits         = 8,  // of a pixel
  parameter int Height       = 28,
  parameter int Width        = 28,
  parameter int FactorHeight = 2,
  parameter int FactorWidth  = 2,
  parameter logic [87:0] RamStyle = "auto"
) (
  input  logic            clk,
  input  logic            rst,  // to the start of an image

  input  logic            in_valid,
  output logic            in_ready,
  input  logic [Bits-1:0] in_data,

  output logic            out_valid,
  input  logic            out_ready,
  output logic [Bits-1:0] out_data
);

`ifndef __ICARUS__
  if (Bits < 1 || Height < 1 || Width < 1 || FactorHeight < 1 ||
      FactorWidth < 1) begin : gen_no_such_size
    $error("gw_upsample: Bits, Height, Width and factors are at least 1");
  end
`endif

  localparam int ColBits  = $clog2(Width + 1);
  localparam int RowsBits = $clog2(FactorHeight + 1);
  localparam int ColsBits = $clog2(FactorWidth + 1);

  // Which copy of which pixel of a row comes next.
  logic [RowsBits-1:0] row_copy;
  logic [ColBits-1:0]  col;
  logic [ColsBits-1:0] col_copy;
  logic                last_row_copy, row_end, last_col_copy;

  assign last_row_copy = row_copy == RowsBits'(FactorHeight - 1);
  assign row_end       = col == ColBits'(Width - 1);
  assign last_col_copy = col_copy == ColsBits'(FactorWidth - 1);

  // Copies of the pixel in the register need neither the input nor the row.
  logic free, load, from_input, advance;
  assign free       = !out_valid || out_ready;
  assign load       = col_copy == '0;
  assign from_input = load && row_copy == '0;
  assign advance    = free && (in_valid || !from_input);
  assign in_ready   = free && from_input;

  always_ff @(posedge clk) begin
    if (rst) begin
      row_copy <= '0;
      col      <= '0;
      col_copy <= '0;
    end else if (advance) begin
      col_copy <= last_col_copy ? '0 : col_copy + 1'b1;
      if (last_col_copy) begin
        col <= row_end ? '0 : col + 1'b1;
        if (row_end) row_copy <= last_row_copy ? '0 : row_copy + 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (free) out_valid <= advance;
  end

  logic [Bits-1:0] pixel;

  if (FactorHeight == 1) begin : gen_no_row
    assign pixel = in_data;
  end else begin : gen_row
    logic [Bits-1:0] above;

    gw_line_buffer #(.Bits(Bits), .Depth(Width), .RamStyle(RamStyle)) u_row (
      .clk, .rst, .step(advance && load), .in_data(pixel), .out_data(above)
    );

    assign pixel = row_copy == '0 ? in_data : above;
  end

  always_ff @(posedge clk) begin
    if (advance && load) out_data <= pixel;
  end

endmodule
