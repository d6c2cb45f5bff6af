/// Cuts the frames of a stream into beats of another width.
///
/// A frame is `InBeats` beats of `InWidth` bits that come, and `OutBeats` beats of `OutWidth` bits
/// that leave: the same bits in the same order, from the least significant of the first beat on,
/// without gaps. Bits that the last beat has beyond what came are zero; bits of the last beat that
/// come beyond what leaves are dropped. Every beat of either side carries at least a bit of both.
///
/// A beat is offered in the cycle after the last of its bits arrived. A frame takes as many cycles
/// as the side with more beats has beats, the next follows without a bubble. `in_ready` depends on
/// `out_ready`.
module gw_gearbox #(
  parameter int InWidth  = 24,
  parameter int InBeats  = 4,
  parameter int OutWidth = 32,
  parameter int OutBeats = 3
) (
  input  logic                clk,
  input  logic                rst,  // the next beat starts a frame; drops what it holds

  input  logic                in_valid,
  output logic                in_ready,
  input  logic [InWidth-1:0]  in_data,

  output logic                out_valid,
  input  logic                out_ready,
  output logic [OutWidth-1:0] out_data
);

`ifndef __ICARUS__
  if (InBeats < 1 || OutBeats < 1 || InBeats * InWidth <= (OutBeats - 1) * OutWidth ||
      OutBeats * OutWidth <= (InBeats - 1) * InWidth) begin : gen_no_such_frame
    $error("gw_gearbox: the last beat of either side carries bits of the other");
  end
`endif

  // The greatest common divisor.
  function automatic integer common(input integer a, input integer b);
    integer rest, next;
    common = a;
    rest = b;
    while (rest != 0) begin
      next = common % rest;
      common = rest;
      rest = next;
    end
  endfunction

  logic push, pop;
  assign push = in_valid && in_ready;
  assign pop  = out_valid && out_ready;

  localparam int Wider = InWidth > OutWidth ? InWidth : OutWidth;

  if ((InBeats == 1 && OutBeats == 1) || InWidth == OutWidth) begin : gen_wires
    logic [Wider-1:0] data;

    assign data      = Wider'(in_data);
    assign out_data  = data[OutWidth-1:0];
    assign out_valid = in_valid;
    assign in_ready  = out_ready;

    logic unused;
    assign unused = ^{clk, rst, push, pop, data};
  end else if (OutBeats == 1 || OutWidth % InWidth == 0) begin : gen_gather
    // Beats that make one.
    localparam int Parts = OutBeats == 1 ? InBeats : OutWidth / InWidth;
    localparam int Tail = InBeats - (OutBeats - 1) * Parts;  // in the last one of a frame
    localparam int PartBits = $clog2(Parts);
    localparam int HeldBits = Parts * InWidth;
    localparam int AllBits = HeldBits > OutWidth ? HeldBits : OutWidth;

    logic [HeldBits-1:0] data;
    logic [AllBits-1:0]  all;
    logic [PartBits-1:0] part;  // the next one
    logic                full, last, frame_ends;

    assign in_ready  = !full || out_ready;
    assign out_valid = full;
    assign all       = AllBits'(data);
    assign out_data  = all[OutWidth-1:0];
    assign last      = part == PartBits'(Parts - 1) || frame_ends;

    always_ff @(posedge clk) begin
      if (rst) begin
        part <= '0;
        full <= 1'b0;
      end else begin
        if (push) part <= last ? '0 : part + 1'b1;
        if (push || pop) full <= push && last;
      end
    end

    for (genvar i = 0; i < Parts; i++) begin : gen_part
      // Each part has an enable of its own, and is not shifted: none costs a look-up table.
      always_ff @(posedge clk) begin
        if (push && part == PartBits'(i)) data[i*InWidth+:InWidth] <= in_data;
        else if (i >= Tail && push && part == '0) data[i*InWidth+:InWidth] <= '0;
      end
    end

    if (Tail == Parts) begin : gen_whole
      assign frame_ends = 1'b0;
    end else begin : gen_tail
      gw_last #(.Beats(InBeats)) u_last (
        .clk(clk), .rst(rst), .valid(in_valid), .ready(in_ready), .last(frame_ends)
      );
    end

    logic unused;
    assign unused = ^all;
  end else if (InBeats == 1 || InWidth % OutWidth == 0) begin : gen_serialize
    // Beats that one makes.
    localparam int Parts = InBeats == 1 ? OutBeats : InWidth / OutWidth;
    localparam int Tail = OutBeats - (InBeats - 1) * Parts;  // of the last one of a frame
    localparam int LeftBits = $clog2(Parts + 1);
    localparam int HeldBits = Parts * OutWidth;
    localparam int AllBits = HeldBits > InWidth ? HeldBits : InWidth;

    logic [HeldBits-1:0] data;
    logic [AllBits-1:0]  all;
    logic [LeftBits-1:0] left;
    logic                frame_ends;

    assign in_ready  = left == '0 || (left == LeftBits'(1) && out_ready);
    assign out_valid = left != '0;
    assign out_data  = data[OutWidth-1:0];
    assign all       = AllBits'(in_data);

    always_ff @(posedge clk) begin
      if (rst) left <= '0;
      else if (push) left <= frame_ends ? LeftBits'(Tail) : LeftBits'(Parts);
      else if (pop) left <= left - 1'b1;
    end

    always_ff @(posedge clk) begin
      if (push) data <= all[HeldBits-1:0];
      else if (pop) data <= data >> OutWidth;
    end

    if (Tail == Parts) begin : gen_whole
      assign frame_ends = 1'b0;
    end else begin : gen_tail
      gw_last #(.Beats(InBeats)) u_last (
        .clk(clk), .rst(rst), .valid(in_valid), .ready(in_ready), .last(frame_ends)
      );
    end

    logic unused;
    assign unused = ^all;
  end else begin : gen_any_ratio
    // In units of the greatest common divisor of the widths.
    localparam int UnitBits = common(InWidth, OutWidth);
    localparam int In = InWidth / UnitBits;
    localparam int Out = OutWidth / UnitBits;
    // The last beat counts for as much as the frame lacks, so that the next one starts on a beat.
    localparam int Last = OutBeats * Out - (InBeats - 1) * In;
    // Room for a beat beside what is too little to be offered; a multiple of what leaves at once.
    localparam int Room = (In + 2 * Out - 2) / Out * Out;
    localparam int LevelBits = $clog2(Room + 1);
    localparam int HeldBits = Room * UnitBits;

    logic [HeldBits-1:0]  data, kept, coming;  // zeros above what is held
    logic [LevelBits-1:0] level, left;
    logic                 frame_ends;
    logic [InWidth-1:0]   used;

    gw_last #(.Beats(InBeats)) u_last (
      .clk(clk), .rst(rst), .valid(in_valid), .ready(in_ready), .last(frame_ends)
    );

    assign left       = pop ? level - LevelBits'(Out) : level;
    assign in_ready   = left <= (frame_ends ? LevelBits'(Room - Last) : LevelBits'(Room - In));
    assign out_valid  = level >= LevelBits'(Out);
    assign out_data   = data[OutWidth-1:0];
    assign kept       = pop ? data >> OutWidth : data;
    assign coming     = HeldBits'(used) << (left * UnitBits);

    if (Last < In) begin : gen_drop
      assign used = frame_ends ? InWidth'(in_data[Last*UnitBits-1:0]) : in_data;
    end else begin : gen_all
      assign used = in_data;
    end

    always_ff @(posedge clk) begin
      if (rst) begin
        level <= '0;
        data  <= '0;
      end else begin
        level <= left + (push ? (frame_ends ? LevelBits'(Last) : LevelBits'(In)) : '0);
        data  <= kept | (push ? coming : '0);
      end
    end
  end

endmodule
