/// Slides a window over images: a beat of KernelHeight x KernelWidth pixels per output position.
///
/// Takes images one after another, one pixel per beat, row by row, and gives the windows that lie
/// completely inside the image, row by row; a beat holds the window row-major, with the upper left
/// pixel in the least significant bits. It does not pad: see gw_pad. With Height and KernelHeight 1
/// it slides along a sequence. A gw_line_buffer holds the rows (see there for RamStyle), registers
/// hold the window.
///
/// One pixel a clock, with no gap between rows or images: Height * Width clock cycles per image. A
/// window is offered in the cycle after its last pixel was taken. Only while it waits is no pixel
/// taken, as that would shift it away. `in_ready` depends combinationally on `out_ready`.
module gw_window #(
  parameter int Bits           = 8,  // of a pixel
  parameter int Height         = 28,
  parameter int Width          = 28,
  parameter int KernelHeight   = 3,
  parameter int KernelWidth    = 3,
  parameter int StrideHeight   = 1,
  parameter int StrideWidth    = 1,
  parameter int DilationHeight = 1,
  parameter int DilationWidth  = 1,
  parameter logic [87:0] RamStyle = "auto"
) (
  input  logic                                     clk,
  input  logic                                     rst,  // to the start of an image

  input  logic                                     in_valid,
  output logic                                     in_ready,
  input  logic [Bits-1:0]                          in_data,

  output logic                                     out_valid,
  input  logic                                     out_ready,
  output logic [KernelHeight*KernelWidth*Bits-1:0] out_data
);

  // What the window spans, including its gaps.
  localparam int SpanHeight = DilationHeight * (KernelHeight - 1) + 1;
  localparam int SpanWidth  = DilationWidth * (KernelWidth - 1) + 1;

`ifndef __ICARUS__
  if (Bits < 1 || KernelHeight < 1 || KernelWidth < 1 || StrideHeight < 1 || StrideWidth < 1 ||
      DilationHeight < 1 || DilationWidth < 1) begin : gen_no_such_window
    $error("gw_window: bits, kernel, strides and dilations are at least 1");
  end
  if (SpanHeight > Height || SpanWidth > Width) begin : gen_no_such_image
    $error("gw_window: the kernel is larger than the image");
  end
`endif

  logic take;
  assign in_ready = !out_valid || out_ready;
  assign take     = in_valid && in_ready;

  // Position of the next pixel, and how many rows and columns after it the next window ends.
  localparam int RowBits     = $clog2(Height + 1);
  localparam int ColBits     = $clog2(Width + 1);
  localparam int RowWaitMax  = SpanHeight > StrideHeight ? SpanHeight : StrideHeight;
  localparam int ColWaitMax  = SpanWidth > StrideWidth ? SpanWidth : StrideWidth;
  localparam int RowWaitBits = $clog2(RowWaitMax + 1);
  localparam int ColWaitBits = $clog2(ColWaitMax + 1);

  logic [RowBits-1:0]     row;
  logic [ColBits-1:0]     col;
  logic [RowWaitBits-1:0] row_wait;
  logic [ColWaitBits-1:0] col_wait;
  logic                   row_end, image_end;

  assign row_end   = col == ColBits'(Width - 1);
  assign image_end = row == RowBits'(Height - 1);

  always_ff @(posedge clk) begin
    if (rst) begin
      col      <= '0;
      col_wait <= ColWaitBits'(SpanWidth - 1);
    end else if (take) begin
      if (row_end) begin
        col      <= '0;
        col_wait <= ColWaitBits'(SpanWidth - 1);
      end else begin
        col      <= col + 1'b1;
        col_wait <= col_wait == '0 ? ColWaitBits'(StrideWidth - 1) : col_wait - 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      row      <= '0;
      row_wait <= RowWaitBits'(SpanHeight - 1);
    end else if (take && row_end) begin
      if (image_end) begin
        row      <= '0;
        row_wait <= RowWaitBits'(SpanHeight - 1);
      end else begin
        row      <= row + 1'b1;
        row_wait <= row_wait == '0 ? RowWaitBits'(StrideHeight - 1) : row_wait - 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (in_ready) out_valid <= in_valid && row_wait == '0 && col_wait == '0;
  end

  // The pixels of this column that the kernel's rows meet, the uppermost in the least significant
  // bits. A pixel rises by one kernel row every DilationHeight rows.
  localparam int ColumnBits = KernelHeight * Bits;

  logic [ColumnBits-1:0] column;

  if (KernelHeight == 1) begin : gen_no_rows
    assign column = in_data;
  end else begin : gen_rows
    logic [ColumnBits-Bits-1:0] above;

    gw_line_buffer #(
      .Bits(ColumnBits - Bits), .Depth(DilationHeight * Width), .RamStyle(RamStyle)
    ) u_rows (
      .clk, .rst, .step(take), .in_data(column[ColumnBits-1:Bits]), .out_data(above)
    );

    assign column = {in_data, above};
  end

  // The last SpanWidth columns, the leftmost in the least significant bits.
  logic [SpanWidth*ColumnBits-1:0] columns;

  if (SpanWidth == 1) begin : gen_one_column
    always_ff @(posedge clk) begin
      if (take) columns <= column;
    end
  end else begin : gen_columns
    always_ff @(posedge clk) begin
      if (take) columns <= {column, columns[SpanWidth*ColumnBits-1:ColumnBits]};
    end
  end

  for (genvar i = 0; i < KernelHeight; i++) begin : gen_kernel_row
    for (genvar j = 0; j < KernelWidth; j++) begin : gen_kernel_col
      assign out_data[(i*KernelWidth+j)*Bits+:Bits] =
          columns[j*DilationWidth*ColumnBits+i*Bits+:Bits];
    end
  end

endmodule
