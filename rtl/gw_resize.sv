/// Changes the number of elements per beat of a stream; their order stays.
///
/// With fewer lanes at the output it serializes: the first part of a beat is offered in the cycle
/// after the beat arrived, and the next beat is taken in the cycle in which the last part leaves.
/// With more lanes at the output it gathers: a beat is offered in the cycle after its last part
/// arrived, and the next part is taken in the cycle in which the beat leaves. Neither way has
/// bubbles: the narrower side works every cycle. Equal lanes are wires. Only whole-number ratios
/// are supported. `in_ready` depends on `out_ready`.
module gw_resize #(
  parameter int Width    = 8,  // bits per element
  parameter int InLanes  = 4,
  parameter int OutLanes = 1
) (
  input  logic                      clk,
  input  logic                      rst,  // drops what it holds; data are not reset

  input  logic                      in_valid,
  output logic                      in_ready,
  input  logic [InLanes*Width-1:0]  in_data,

  output logic                      out_valid,
  input  logic                      out_ready,
  output logic [OutLanes*Width-1:0] out_data
);

`ifndef __ICARUS__
  if (InLanes % OutLanes != 0 && OutLanes % InLanes != 0) begin : gen_no_such_ratio
    $error("gw_resize: one of InLanes and OutLanes is a multiple of the other");
  end
`endif

  // Narrow beats to a wide one.
  localparam int Parts = InLanes > OutLanes ? InLanes / OutLanes : OutLanes / InLanes;
  localparam int CountBits = $clog2(Parts + 1);

  if (InLanes == OutLanes) begin : gen_wires
    assign in_ready  = out_ready;
    assign out_valid = in_valid;
    assign out_data  = in_data;

    logic unused;
    assign unused = ^{clk, rst};
  end else begin : gen_resize
    localparam int InBits = InLanes * Width;
    localparam int OutBits = OutLanes * Width;

    logic push, pop;
    assign push = in_valid && in_ready;
    assign pop  = out_valid && out_ready;

    logic [CountBits-1:0] count;  // of narrow beats held

    if (InLanes > OutLanes) begin : gen_serialize
      logic [InBits-1:0] data;

      assign in_ready  = !out_valid || (out_ready && count == CountBits'(1));
      assign out_valid = count != '0;
      assign out_data  = data[OutBits-1:0];

      always_ff @(posedge clk) begin
        if (rst) count <= '0;
        else if (push) count <= CountBits'(Parts);
        else if (pop) count <= count - CountBits'(1);
      end

      always_ff @(posedge clk) begin
        if (push) data <= in_data;
        else if (pop) data <= data >> OutBits;
      end
    end else begin : gen_gather
      logic [OutBits-1:0] data;

      assign in_ready  = !out_valid || out_ready;
      assign out_valid = count == CountBits'(Parts);
      assign out_data  = data;

      always_ff @(posedge clk) begin
        if (rst) count <= '0;
        else if (pop) count <= CountBits'(push);
        else if (push) count <= count + CountBits'(1);
      end

      always_ff @(posedge clk) begin
        if (push) data <= {in_data, data[OutBits-1:InBits]};
      end
    end
  end

endmodule
