/// Surrounds each image of a stream with pixels of the constant value Fill.
///
/// One pixel per beat, row by row: Top rows of Fill; each row of the image between Left and Right
/// pixels of Fill; Bottom rows of Fill. With Height 1, Top 0 and Bottom 0 it pads a sequence. The
/// input waits while Fill goes out. The first beat of an output image waits until the input's first
/// pixel is offered, so that nothing leaves before the image arrives; the rest of Fill needs no
/// input.
///
/// One register on valid and data: a pixel is offered in the cycle after it was taken. One beat a
/// clock, (Top + Height + Bottom) * (Left + Width + Right) clock cycles per image, with no gap
/// between images. `in_ready` depends combinationally on `out_ready`.
module gw_pad #(
  parameter int Bits   = 8,  // of a pixel
  parameter int Height = 28,
  parameter int Width  = 28,
  parameter int Top    = 1,
  parameter int Bottom = 1,
  parameter int Left   = 1,
  parameter int Right  = 1,
  parameter logic [Bits-1:0] Fill = '0
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
  if (Bits < 1 || Height < 1 || Width < 1) begin : gen_no_such_image
    $error("gw_pad: Bits, Height and Width are at least 1");
  end
`endif

  localparam int OutHeight = Top + Height + Bottom;
  localparam int OutWidth  = Left + Width + Right;
  localparam int RowBits   = $clog2(OutHeight + 1);
  localparam int ColBits   = $clog2(OutWidth + 1);

  // Position of the next output beat; whether its row and its column meet the image is kept beside
  // it, as the handshakes wait for that.
  logic [RowBits-1:0] row;
  logic [ColBits-1:0] col;
  logic               row_end, image_end, image_start, row_on_image, col_on_image, on_image;

  assign row_end   = col == ColBits'(OutWidth - 1);
  assign image_end = row == RowBits'(OutHeight - 1);
  assign on_image  = row_on_image && col_on_image;

  logic free, advance;
  assign free     = !out_valid || out_ready;
  assign advance  = free && (in_valid || !(on_image || image_start));
  assign in_ready = free && on_image;

  always_ff @(posedge clk) begin
    if (rst) begin
      row          <= '0;
      col          <= '0;
      image_start  <= 1'b1;
      row_on_image <= Top == 0;
      col_on_image <= Left == 0;
    end else if (advance) begin
      image_start <= row_end && image_end;
      if (row_end) begin
        col          <= '0;
        col_on_image <= Left == 0;
      end else begin
        col <= col + 1'b1;
        if (col + 1'b1 == ColBits'(Left)) col_on_image <= 1'b1;
        else if (col + 1'b1 == ColBits'(Left + Width)) col_on_image <= 1'b0;
      end
      if (row_end && image_end) begin
        row          <= '0;
        row_on_image <= Top == 0;
      end else if (row_end) begin
        row <= row + 1'b1;
        if (row + 1'b1 == RowBits'(Top)) row_on_image <= 1'b1;
        else if (row + 1'b1 == RowBits'(Top + Height)) row_on_image <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (free) out_valid <= advance;
  end

  always_ff @(posedge clk) begin
    if (advance) out_data <= on_image ? in_data : Fill;
  end

endmodule
