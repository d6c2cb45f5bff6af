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

  logic image_start, on_image;  // of the next output beat
  logic free, advance;

  gw_within #(
    .Height(Top + Height + Bottom), .Width(Left + Width + Right), .Top(Top), .Left(Left),
    .InnerHeight(Height), .InnerWidth(Width)
  ) u_within (
    .clk, .rst, .step(advance), .start(image_start), .inner(on_image)
  );

  assign free     = !out_valid || out_ready;
  assign advance  = free && (in_valid || !(on_image || image_start));
  assign in_ready = free && on_image;

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (free) out_valid <= advance;
  end

  always_ff @(posedge clk) begin
    if (advance) out_data <= on_image ? in_data : Fill;
  end

endmodule
