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

  logic start, passes;  // of the next pixel

  gw_within #(
    .Height(Height), .Width(Width), .Top(Top), .Left(Left),
    .InnerHeight(Height - Top - Bottom), .InnerWidth(Width - Left - Right)
  ) u_within (
    .clk, .rst, .step(in_valid && in_ready), .start, .inner(passes)
  );

  assign in_ready  = out_ready || !passes;
  assign out_valid = in_valid && passes;
  assign out_data  = in_data;

  logic unused;
  assign unused = start;

endmodule
