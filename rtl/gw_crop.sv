/// Passes the inner pixels of each image of a stream and drops a border.
///
/// One pixel per beat, row by row; Top, Bottom, Left and Right are the numbers of rows and columns
/// of the input to drop. With Height 1, Top 0 and Bottom 0 it crops a sequence.
///
/// Combinational: a pixel that passes is offered in the cycle in which it arrives, and leaves the
/// input when it is taken; a pixel to drop is taken at once, regardless of `out_ready`. Height *
/// Width clock cycles per image, with no gap between images. `in_ready` depends combinationally on
/// `out_ready`, `out_valid` on `in_valid`.
module gw_crop #(
  parameter int Bits   = 8,  // of a pixel
  parameter int Height = 28,
  parameter int Width  = 28,
  parameter int Top    = 1,
  parameter int Bottom = 1,
  parameter int Left   = 1,
  parameter int Right  = 1
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
  if (Bits < 1 || Height <= Top + Bottom || Width <= Left + Right) begin : gen_no_such_image
    $error("gw_crop: Bits is at least 1, and at least one pixel of the image is left");
  end
`endif

  localparam int RowBits = $clog2(Height + 1);
  localparam int ColBits = $clog2(Width + 1);

  // Position of the next pixel; whether its row and its column stay is kept beside it, as the
  // handshakes wait for that.
  logic [RowBits-1:0] row;
  logic [ColBits-1:0] col;
  logic               row_end, image_end, row_stays, col_stays, passes;

  assign row_end   = col == ColBits'(Width - 1);
  assign image_end = row == RowBits'(Height - 1);
  assign passes    = row_stays && col_stays;

  assign in_ready  = out_ready || !passes;
  assign out_valid = in_valid && passes;
  assign out_data  = in_data;

  always_ff @(posedge clk) begin
    if (rst) begin
      row       <= '0;
      col       <= '0;
      row_stays <= Top == 0;
      col_stays <= Left == 0;
    end else if (in_valid && in_ready) begin
      if (row_end) begin
        col       <= '0;
        col_stays <= Left == 0;
      end else begin
        col <= col + 1'b1;
        if (col + 1'b1 == ColBits'(Left)) col_stays <= 1'b1;
        else if (col + 1'b1 == ColBits'(Width - Right)) col_stays <= 1'b0;
      end
      if (row_end && image_end) begin
        row       <= '0;
        row_stays <= Top == 0;
      end else if (row_end) begin
        row <= row + 1'b1;
        if (row + 1'b1 == RowBits'(Top)) row_stays <= 1'b1;
        else if (row + 1'b1 == RowBits'(Height - Bottom)) row_stays <= 1'b0;
      end
    end
  end

endmodule
