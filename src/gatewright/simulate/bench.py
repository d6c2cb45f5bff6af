"""Prints the top of the simulation: the design, with a source or sink of `sim/` at every port."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.rtl.manifest import Port, RtlProject

TOP = "gw_bench"
"""Name of the module that `bench_top` prints."""

_TOP = """\
/// The design under test, `{top}`, with a source or a sink at every AXI4-Stream port.
module gw_bench (
  input  logic        clk          /* verilator public_flat_rw */,
  input  logic        rst          /* verilator public_flat_rw */,
  input  logic        run          /* verilator public_flat_rw */,  // sources may offer beats
  input  logic        external     /* verilator public_flat_rw */,  // the test drives the ports
  input  logic [31:0] seed         /* verilator public_flat_rw */,
  input  logic [31:0] vectors      /* verilator public_flat_rw */,  // to pass through
  input  logic [31:0] pace         /* verilator public_flat_rw */,  // least cycles per vector
  input  logic [31:0] patience     /* verilator public_flat_rw */,  // quiet cycles: a deadlock
  input  logic [63:0] limit        /* verilator public_flat_rw */,  // cycles in which to finish
  input  logic [31:0] drain        /* verilator public_flat_rw */,  // cycles to watch at the end
  input  logic [31:0] source_enter /* verilator public_flat_rw */,
  input  logic [31:0] source_leave /* verilator public_flat_rw */,
  input  logic [31:0] sink_enter   /* verilator public_flat_rw */,
  input  logic [31:0] sink_leave   /* verilator public_flat_rw */,
  output logic        stop         /* verilator public_flat_rd */,  // finished, stuck or failed
  output logic        stuck        /* verilator public_flat_rd */   // neither finished nor failed
);

  longint unsigned cycle /* verilator public_flat_rd */;  // since reset
  logic [31:0] quiet;  // cycles since the last transfer
  logic [{last}:0] done, moved;
  logic [{last_sink}:0] failed;

  assign stuck = run && !(&done) && (quiet >= patience || cycle >= limit);
  assign stop  = stuck || |failed || (&done && quiet >= drain);

  always_ff @(posedge clk) begin
    cycle <= rst ? '0 : cycle + 1;
    quiet <= rst || !run || |moved ? '0 : quiet + 1;
  end
{ports}
  {top} dut (
    .clk,
    .rst,
{connections}
  );

endmodule
{monitors}"""

_MONITORS = """
bind gw_fifo gw_bench_fifo #(.Depth(Depth)) gw_bench_monitor (
  .clk, .rst, .give_up(gw_bench.stuck), .level(32'(level)), .out_valid, .out_ready
);
"""

_SIGNALS = """
  // {prefix}
  logic        {prefix}_stall;
  logic [31:0] {prefix}_taken  /* verilator public_flat_rd */;
  logic        {prefix}_tvalid /* verilator public_flat_rd */;
  logic        {prefix}_tready /* verilator public_flat_rd */;
  logic        {prefix}_tlast  /* verilator public_flat_rd */;
  logic [{msb}:0] {prefix}_tdata /* verilator public_flat_rd */;{keep}

  gw_bench_stall #(.Salt({number})) {prefix}_stalls (
    .clk, .rst, .seed, .enter({side}_enter), .leave({side}_leave), .stall({prefix}_stall)
  );
"""

_SOURCE = """
  logic external_{prefix}_tvalid /* verilator public_flat_rw */;
  logic external_{prefix}_tready /* verilator public_flat_rd */;
  logic external_{prefix}_tlast  /* verilator public_flat_rw */;
  logic [{msb}:0] external_{prefix}_tdata /* verilator public_flat_rw */;

  assign external_{prefix}_tready = {prefix}_tready;

  gw_bench_source #(.Port({number}), .Width({width}), .Beats({beats})) {prefix}_source (
    .clk, .rst, .run, .stall({prefix}_stall), .vectors, .pace, .cycle,
    .done(done[{number}]), .moved(moved[{number}]), .taken({prefix}_taken),
    .tvalid({prefix}_tvalid), .tready({prefix}_tready),
    .tdata({prefix}_tdata), .tlast({prefix}_tlast),
    .external, .external_tvalid(external_{prefix}_tvalid),
    .external_tdata(external_{prefix}_tdata), .external_tlast(external_{prefix}_tlast)
  );
"""

_SINK = """
  logic external_{prefix}_tvalid /* verilator public_flat_rd */;
  logic external_{prefix}_tready /* verilator public_flat_rw */;
  logic external_{prefix}_tlast  /* verilator public_flat_rd */;
  logic [{recorded_msb}:0] external_{prefix}_tdata /* verilator public_flat_rd */;

  assign external_{prefix}_tvalid = {prefix}_tvalid;
  assign external_{prefix}_tlast  = {prefix}_tlast;
  assign external_{prefix}_tdata  = {recorded};

  gw_bench_sink #(.Port({number}), .Width({recorded_msb} + 1), .Beats({beats})) {prefix}_sink (
    .clk, .rst, .stall({prefix}_stall), .vectors, .cycle,
    .done(done[{number}]), .moved(moved[{number}]), .taken({prefix}_taken),
    .failed(failed[{sink}]),
    .tvalid({prefix}_tvalid), .tready({prefix}_tready),
    .tdata({recorded}), .tlast({prefix}_tlast),
    .external, .external_tready(external_{prefix}_tready)
  );
"""

_KEEP = """
  logic [{keep_msb}:0] {prefix}_tkeep /* verilator public_flat_rd */;"""

_CONNECTIONS = """\
    .{prefix}_tvalid,
    .{prefix}_tready,
    .{prefix}_tdata,
    .{prefix}_tlast"""


def bench_top(project: RtlProject) -> str:
    """SystemVerilog of the module `gw_bench` around the top of `project`.

    If the design uses `gw_fifo`, a monitor is bound to each instance.

    Ports are numbered in the order of the manifest, inputs first; the test uses the same numbers.
    """
    inputs, outputs = project.inputs, project.outputs

    def fields(port: Port, number: int, side: str) -> dict[str, object]:
        data = f"{port.prefix}_tdata"
        return {
            "prefix": port.prefix,
            "number": number,
            "sink": number - len(inputs),
            "side": side,
            "width": port.tdata_width,
            "msb": port.tdata_width - 1,
            "beats": port.beats,
            # What a sink records and holds to be stable: tdata, and tkeep above it.
            "recorded": f"{{{port.prefix}_tkeep, {data}}}" if port.keep else data,
            "recorded_msb": port.tdata_width + port.keep_bits - 1,
            "keep": _KEEP.format(prefix=port.prefix, keep_msb=port.keep_bits - 1)
            if port.keep
            else "",
        }

    ports = [
        (_SIGNALS + _SOURCE).format(**fields(port, number, "source"))
        for number, port in enumerate(inputs)
    ]
    ports += [
        (_SIGNALS + _SINK).format(**fields(port, number, "sink"))
        for number, port in enumerate(outputs, start=len(inputs))
    ]
    return _TOP.format(
        top=project.top,
        last=len(inputs) + len(outputs) - 1,
        last_sink=len(outputs) - 1,
        ports="".join(ports),
        monitors=_MONITORS
        if any(Path(file).name == "gw_fifo.sv" for file in project.files)
        else "",
        connections=",\n".join(
            [
                *(_CONNECTIONS.format(prefix=port.prefix) for port in (*inputs, *outputs)),
                *(f"    .{port.prefix}_tkeep" for port in outputs if port.keep),
                *(f"    .{port.prefix}_frame_error()" for port in inputs if port.checked),
            ]
        ),
    )
