/// Walks the positions of an image row by row, and tells which lie in an inner rectangle.
///
/// The image has Height x Width positions, the rectangle InnerHeight x InnerWidth, with Top rows above
/// it and Left columns before it. `inner` and `start`, the first position of an image, belong to the
/// current position. Both come from registers beside the counters, as handshakes wait for them.
module gw_within #(
  parameter int Height      = 30,
  parameter int Width       = 30,
  parameter int Top         = 1,
  parameter int Left        = 1,
  parameter int InnerHeight = 28,
  parameter int InnerWidth  = 28
) (
  input  logic clk,
  input  logic rst,   // to the start of an image
  input  logic step,  // to the next position

  output logic start,
  output logic inner
);

`ifndef __ICARUS__
  if (InnerHeight < 1 || InnerWidth < 1 || Top + InnerHeight > Height ||
      Left + InnerWidth > Width) begin : gen_no_such_rectangle
    $error("gw_within: the rectangle has a position, and lies in the image");
  end
`endif

  localparam int RowBits = $clog2(Height + 1);
  localparam int ColBits = $clog2(Width + 1);

  logic [RowBits-1:0] row;
  logic [ColBits-1:0] col;
  logic               row_end, image_end, row_within, col_within;

  assign row_end   = col == ColBits'(Width - 1);
  assign image_end = row == RowBits'(Height - 1);
  assign inner     = row_within && col_within;

  always_ff @(posedge clk) begin
    if (rst) begin
      row        <= '0;
      col        <= '0;
      start      <= 1'b1;
      row_within <= Top == 0;
      col_within <= Left == 0;
    end else if (step) begin
      start <= row_end && image_end;
      if (row_end) begin
        col        <= '0;
        col_within <= Left == 0;
      end else begin
        col <= col + 1'b1;
        if (col + 1'b1 == ColBits'(Left)) col_within <= 1'b1;
        else if (col + 1'b1 == ColBits'(Left + InnerWidth)) col_within <= 1'b0;
      end
      if (row_end && image_end) begin
        row        <= '0;
        row_within <= Top == 0;
      end else if (row_end) begin
        row <= row + 1'b1;
        if (row + 1'b1 == RowBits'(Top)) row_within <= 1'b1;
        else if (row + 1'b1 == RowBits'(Top + InnerHeight)) row_within <= 1'b0;
      end
    end
  end

endmodule
