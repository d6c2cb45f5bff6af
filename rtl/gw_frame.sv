/// Passes frames of `Beats` beats on, and drops those that are shorter or longer.
///
/// A frame ends with the beat that has `in_last`. One that ends too early, or does not end after
/// `Beats` beats, is dropped up to its end, whatever that takes; the next one passes. `error` rises
/// with the first frame that is dropped, and stays until reset. Frames that are right leave whole:
/// one of several beats waits here until its last beat has come. Two frames fit in, so that a beat a
/// clock is sustained. A frame of one beat passes in the same cycle; then `in_ready` depends on
/// `out_ready`, else on registers alone.
module gw_frame #(
  parameter int Width = 8,
  parameter int Beats = 1
) (
  input  logic             clk,
  input  logic             rst,  // the next beat starts a frame; clears `error`

  input  logic             in_valid,
  output logic             in_ready,
  input  logic             in_last,
  input  logic [Width-1:0] in_data,

  output logic             out_valid,
  input  logic             out_ready,
  output logic [Width-1:0] out_data,

  output logic             error
);

`ifndef __ICARUS__
  if (Beats < 1) begin : gen_no_such_frame
    $error("gw_frame: Beats is at least 1");
  end
`endif

  logic dropping;  // the rest of a frame that was too long
  logic moved;     // a beat comes in
  logic wrong;     // it breaks its frame

  assign moved = in_valid && in_ready;

  always_ff @(posedge clk) begin
    if (rst) begin
      dropping <= 1'b0;
      error    <= 1'b0;
    end else if (moved) begin
      dropping <= (dropping || wrong) && !in_last;
      error    <= error || wrong;
    end
  end

  if (Beats == 1) begin : gen_single
    assign wrong     = !dropping && !in_last;
    assign out_valid = in_valid && in_last && !dropping;
    assign out_data  = in_data;
    assign in_ready  = !in_last || dropping || out_ready;
  end else begin : gen_whole
    localparam int Depth = 2 * Beats;
    localparam int AddressBits = $clog2(Depth);
    localparam int CountBits = $clog2(Beats);
    localparam logic [AddressBits-1:0] LastAddress = AddressBits'(Depth - 1);
    localparam logic [AddressBits-1:0] Second = AddressBits'(Beats);

    logic [AddressBits-1:0] write_address, read_address, next_read;
    logic [1:0]             held;   // whole frames, until their last beat has left
    logic [CountBits-1:0]   count;  // beats of the frame that comes in
    logic                   half;   // where that frame goes
    logic                   push, pop, last, whole, gone;

    // Frames go to one half of the memory, and to the other. The half is free unless both hold one.
    assign in_ready  = dropping || !held[1];
    assign push      = moved && !dropping;
    assign last      = count == CountBits'(Beats - 1);
    assign wrong     = !dropping && in_last != last;
    assign whole     = push && last && in_last;
    assign pop       = out_valid && out_ready;
    assign gone      = pop && (read_address == Second - 1'b1 || read_address == LastAddress);
    assign out_valid = held != '0;
    assign next_read = read_address == LastAddress ? '0 : read_address + 1'b1;
    assign write_address = (half ? Second : '0) + AddressBits'(count);

    always_ff @(posedge clk) begin
      if (rst) begin
        count        <= '0;
        half         <= 1'b0;
        held         <= '0;
        read_address <= '0;
      end else begin
        if (push) count <= last || in_last ? '0 : count + 1'b1;
        if (whole) half <= !half;
        if (pop) read_address <= next_read;
        if (whole != gone) held <= whole ? held + 2'd1 : held - 2'd1;
      end
    end

    // What is read while it is written is fetched again before it is offered.
    (* no_rw_check *)
    logic [Width-1:0] memory [Depth];
    logic [Width-1:0] read_data;

    assign out_data = read_data;

    // The beat to offer next is fetched one cycle ahead; a frame that is whole stands in memory.
    always_ff @(posedge clk) begin
      if (push) memory[write_address] <= in_data;
      read_data <= memory[pop ? next_read : read_address];
    end
  end

endmodule
