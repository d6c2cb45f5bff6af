/// Casts a fixed-point number to another fixed-point type, as `ap_fixed` is assigned.
///
/// `in` stands for in * 2**-InFrac and `out` for out * 2**-OutFrac; the fractional bits may be
/// negative or exceed the width. Purely combinational, without registers. A cast that can
/// neither round nor overflow is wires. Adders and comparisons are no wider than the bits that can
/// differ. It knows the range of `in` only by its width: narrow `in` first.
///
/// Rounding, what becomes of bits below the last one kept:
///   0 TRN      towards minus infinity    4 RND_INF      to nearest, ties away from zero
///   1 TRN_ZERO towards zero              5 RND_MIN_INF  to nearest, ties to minus infinity
///   2 RND      to nearest, ties up       6 RND_CONV     to nearest, ties to even
///   3 RND_ZERO to nearest, ties to zero
/// Overflow, what becomes of values beyond the range:
///   0 WRAP     upper bits are dropped    2 SAT_ZERO     zero
///   1 SAT      the nearest bound         3 SAT_SYM      SAT, the lower bound being -(upper)
module gw_cast #(
  parameter int InWidth   = 16,
  parameter int InFrac    = 8,
  parameter bit InSigned  = 1'b1,
  parameter int OutWidth  = 8,
  parameter int OutFrac   = 4,
  parameter bit OutSigned = 1'b1,
  parameter int Rounding  = 0,
  parameter int Overflow  = 0
) (
  input  logic [InWidth-1:0]  in,
  output logic [OutWidth-1:0] out
);

`ifndef __ICARUS__
  if (Rounding < 0 || Rounding > 6 || Overflow < 0 || Overflow > 3) begin : gen_no_such_mode
    $error("gw_cast: Rounding is 0 to 6, Overflow is 0 to 3");
  end
`endif

  localparam int Trn       = 0;
  localparam int TrnZero   = 1;
  localparam int Rnd       = 2;
  localparam int RndZero   = 3;
  localparam int RndInf    = 4;
  localparam int RndMinInf = 5;

  localparam int Wrap    = 0;
  localparam int SatZero = 2;
  localparam int SatSym  = 3;

  // An unsigned input is a signed one whose top bit is a constant zero.
  localparam int SrcWidth = InSigned ? InWidth : InWidth + 1;
  logic signed [SrcWidth-1:0] src;
  if (InSigned) begin : gen_signed
    assign src = in;
  end else begin : gen_unsigned
    assign src = {1'b0, in};
  end
  logic sign;
  assign sign = src[SrcWidth-1];

  // Bits to drop on the right, or to append if negative.
  localparam int Shift = InFrac - OutFrac;

  // `rounded` is the value in units of `out`. Rounding to nearest can need one bit more than
  // truncation; bits that wrapping drops are never computed.
  localparam int FloorWidth = SrcWidth > Shift ? SrcWidth - Shift : 1;
  localparam int FullWidth =
      Shift > 0 && Rounding != Trn && Rounding != TrnZero ? FloorWidth + 1 : FloorWidth;
  localparam int Width = Overflow == Wrap && FullWidth > OutWidth ? OutWidth : FullWidth;
  logic signed [Width-1:0] rounded;

  if (Shift < 0) begin : gen_left
    assign rounded = Width'($signed({src, {(-Shift){1'b0}}}));
  end else if (Shift == 0) begin : gen_same
    assign rounded = Width'(src);
  end else if (Rounding == Trn) begin : gen_truncate
    assign rounded = Width'(src >>> Shift);
  end else begin : gen_round
    // Bits left of `src` repeat its sign.
    localparam int HalfBit = Shift < SrcWidth ? Shift - 1 : SrcWidth - 1;
    localparam int OddBit = Shift < SrcWidth ? Shift : SrcWidth - 1;
    localparam int RestBits = Shift - 1 < SrcWidth ? Shift - 1 : SrcWidth;

    logic half;  // the first bit dropped
    logic rest;  // any bit dropped below it
    logic up;
    assign half = src[HalfBit];
    if (RestBits > 0) begin : gen_rest
      assign rest = |src[RestBits-1:0];
    end else begin : gen_no_rest
      assign rest = 1'b0;
    end

    if (Rounding == TrnZero) begin : gen_trn_zero
      assign up = sign & (half | rest);
    end else if (Rounding == Rnd) begin : gen_rnd
      assign up = half;
    end else if (Rounding == RndZero) begin : gen_rnd_zero
      assign up = half & (rest | sign);
    end else if (Rounding == RndInf) begin : gen_rnd_inf
      assign up = half & (rest | ~sign);
    end else if (Rounding == RndMinInf) begin : gen_rnd_min_inf
      assign up = half & rest;
    end else begin : gen_rnd_conv
      assign up = half & (rest | src[OddBit]);
    end
    assign rounded = Width'(src >>> Shift) + Width'($signed({1'b0, up}));

    logic unused_round;
    assign unused_round = ^{half, rest};
  end

  // A value fits if all bits from `SignBit` up are alike, and zero if `out` is unsigned.
  localparam int SignBit = OutSigned ? OutWidth - 1 : OutWidth;

  if (Overflow == Wrap) begin : gen_wrap
    assign out = OutWidth'(rounded);
  end else begin : gen_saturate
    logic over;
    logic under;
    if (Width - 1 > SignBit) begin : gen_over
      assign over = ~rounded[Width-1] & (|rounded[Width-2:SignBit]);
    end else begin : gen_not_over
      assign over = 1'b0;
    end
    if (!OutSigned) begin : gen_negative
      assign under = rounded[Width-1];
    end else if (Overflow == SatSym && OutWidth > 1 && Width >= OutWidth) begin : gen_symmetric
      assign under = rounded[Width-1] & ~((&rounded[Width-1:SignBit]) & (|rounded[SignBit-1:0]));
    end else if (Width > OutWidth) begin : gen_under
      assign under = rounded[Width-1] & ~(&rounded[Width-2:SignBit]);
    end else begin : gen_not_under
      assign under = 1'b0;
    end

    logic [OutWidth-1:0] bound;
    if (Overflow == SatZero) begin : gen_zero
      assign bound = '0;
    end else if (!OutSigned) begin : gen_bound_unsigned
      assign bound = {OutWidth{over}};
    end else if (OutWidth == 1) begin : gen_bound_bit
      assign bound = under;
    end else if (Overflow == SatSym) begin : gen_bound_symmetric
      assign bound = {under, {(OutWidth - 1){over}}} | OutWidth'(1);
    end else begin : gen_bound
      assign bound = {under, {(OutWidth - 1){over}}};
    end
    assign out = over | under ? bound : OutWidth'(rounded);
  end

  // Bits that are dropped, by shifting or because nothing depends on them.
  logic unused;
  assign unused = ^{src, rounded, sign};

endmodule
