"""The top module: AXI4-Stream ports, the layers' modules, forks, delays and FIFOs between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gatewright.emit.layer import connect, instance
from gatewright.emit.names import identifiers, ports
from gatewright.project import Module
from gatewright.units import Fifo, resized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gatewright.kernels import Tensor
    from gatewright.project import Port
    from gatewright.units import Stream
    from gatewright.units.base import Times

#: Beats that a FIFO holds where its need has not been measured: a LUT RAM has no fewer.
_SHALLOW = 16

#: Tensors in a row that a prediction follows: enough for a steady state.
_TENSORS = 4


@dataclass(frozen=True)
class Placement:
    """A module to instantiate: its name, the instance's, and what its ports carry.

    Attributes:
        inputs: tensors read.
        output: tensor written.
        result: what the stream of `output` carries.
        delays: per input, register stages to pass before it is level with the latest input.
        waits: per input, cycles until the very first beat offered is taken.
        bursts: per input, beats taken in a row, see `LayerModule.bursts`.
        clocked: whether it has a clock.
        times: when it offers its beats, see `LayerModule.times`.
    """

    name: str
    instance: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    result: Stream
    delays: tuple[int, ...]
    waits: tuple[int, ...]
    bursts: tuple[int, ...]
    clocked: bool
    times: Callable[..., Times]


class Top:
    """A top: its text, the glue in it, its latency and initiation interval.

    A stream in the top is three signals, <stream>_valid, <stream>_ready and <stream>_data.

    Args:
        name: of the module.
        inputs: tensors that enter, with what their streams carry.
        outputs: tensors that leave, with elements per beat.
        placements: the modules in topological order.
        depths: beats that the FIFOs hold, by instance name; None if the modules stand in lock
            step and none is needed.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[tuple[Tensor, Stream], ...],
        outputs: tuple[tuple[Tensor, int], ...],
        placements: list[Placement],
        depths: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.placements = placements
        self.slaves = ports([(tensor, stream.lanes) for tensor, stream in inputs], "s_axis")
        self.masters = ports(list(outputs), "m_axis")
        self.glue: list[Module] = []
        self._outputs = [tensor for tensor, _ in outputs]
        self._streams = {tensor.name: (tensor, stream) for tensor, stream in inputs}
        self._entering = frozenset(self._streams)
        self._streams |= {p.output.name: (p.output, p.result) for p in placements}
        self._depths = depths
        self._times: dict[str, Times] = {}  # by stream: when its beats are offered
        self._waits = [0] * len(inputs)
        #: By stream, the streams whose ready its own follows from in the same cycle.
        self._ready: dict[str, list[str]] = {}
        self._entries: list[str] = []
        self._lines: list[str] = []
        self._last: list[Times] = []
        self._body()
        #: Predicted cycles from the first input transfer to the first of the latest output.
        self.latency = max(int(times[0, 0]) for times in self._last) - min(self._waits)
        #: Predicted cycles per tensor, with inputs and outputs at full rate.
        self.interval = max(
            *(stream.beats for _, stream in inputs),
            *(int(times[-1, -1] - times[-2, -1]) for times in self._last),
        )

    def text(self) -> str:
        """SystemVerilog of the top."""
        return "\n".join([*self._head(), *self._lines, f"endmodule : {self.name}", ""])

    # Structure

    def _body(self) -> None:
        names = identifiers(list(self._streams))
        named = dict(zip(self._streams, names, strict=True))
        self._entries = [named[tensor] for tensor in self._entering_in_order()]
        readers = {tensor: self._fan_out(tensor, stream) for tensor, stream in named.items()}
        for tensor, port in zip(self._entering_in_order(), self.slaves, strict=True):
            self._slave(port, named[tensor])
            beats = self._streams[tensor][1].beats
            self._times[tensor] = np.arange(beats * _TENSORS)
        for placement in self.placements:
            sources = [readers[tensor.name].pop(0) for tensor in placement.inputs]
            self._instance(placement, sources, named[placement.output.name])
        for leaving, port in zip(self._outputs, self.masters, strict=True):
            self._master(leaving, port, readers[leaving.name].pop(0))

    def _entering_in_order(self) -> list[str]:
        return [name for name in self._streams if name in self._entering]

    def _fan_out(self, tensor: str, stream: str) -> list[str]:
        """Declare a tensor's stream; the streams that its readers take, in order of reading."""
        self._declare(stream, tensor)
        count = sum(t.name == tensor for placement in self.placements for t in placement.inputs)
        count += sum(t.name == tensor for t in self._outputs)
        if count == 1:
            return [stream]
        copies = [f"{stream}_{i}" for i in range(count)]
        self._ready[stream] = list(copies)
        for copy in copies:
            self._declare(copy, tensor)
        width = self._streams[tensor][1].bits
        valids, readies, datas = (
            f"{{{', '.join(f'{copy}_{signal}' for copy in reversed(copies))}}}"
            for signal in ("valid", "ready", "data")
        )
        self._lines += [
            f"  gw_fork #(.Width({width}), .Outputs({count})) u_{stream}_fork (",
            "    .clk, .rst,",
            f"    .in_valid({stream}_valid), .in_ready({stream}_ready), .in_data({stream}_data),",
            f"    .out_valid({valids}),",
            f"    .out_ready({readies}),",
            f"    .out_data({datas})",
            "  );",
        ]
        self._note_glue("gw_fork", f"u_{stream}_fork", "fork", 0)
        return copies

    def _declare(self, stream: str, tensor: str) -> None:
        described, carried = self._streams[tensor]
        beats = f", {carried.beats} beats of {carried.lanes}" if carried.beats > 1 else ""
        self._lines += [
            f"\n  // {tensor}: {'x'.join(map(str, described.shape))} {described.type}{beats}",
            f"  logic {stream}_valid, {stream}_ready;",
            f"  logic [{carried.bits - 1}:0] {stream}_data;",
        ]

    def _instance(self, placement: Placement, sources: list[str], stream: str) -> None:
        arrivals, levelled = [], []
        for tensor, source, delay, wait, burst in zip(
            placement.inputs,
            sources,
            placement.delays,
            placement.waits,
            placement.bursts,
            strict=True,
        ):
            times = self._times[tensor.name]
            if self._depths is None:
                levelled.append(self._delay(tensor.name, source, delay))
                arrivals.append(times + delay)
                continue
            alone = sum(t.name == tensor.name for p in self.placements for t in p.inputs)
            alone += sum(t.name == tensor.name for t in self._outputs)
            if tensor.name in self._entering and alone == 1:
                levelled.append(source)
                arrivals.append(times)
                self._waits[self._entering_in_order().index(tensor.name)] = wait
                continue
            depth = self._depth(tensor.name, source, burst, forked=alone > 1)
            levelled.append(self._fifo(tensor.name, source, depth))
            arrivals.append(times + (depth > 0))
        port_names = ["in"] if len(levelled) == 1 else [f"in{i}" for i in range(len(levelled))]
        connections = ["    .clk, .rst,"] if placement.clocked else []
        for port, source in zip(port_names, levelled, strict=True):
            connections.append(f"    {connect(port, source)},")
            self._ready[source] = [stream]
        connections.append(f"    {connect('out', stream)}")
        self._lines += [f"\n  {placement.name} {placement.instance} (", *connections, "  );"]
        self._times[placement.output.name] = placement.times(*arrivals)

    def _delay(self, tensor: str, source: str, depth: int) -> str:
        """The stream after `depth` registers, which level a short branch with a long one."""
        if depth == 0:
            return source
        stream = f"{source}_z{depth}"
        self._ready[source] = [stream]
        self._declare(stream, tensor)
        width = self._streams[tensor][1].bits
        self._lines += [
            f"  gw_delay #(.Width({width}), .Depth({depth})) u_{stream} (",
            "    .clk, .rst,",
            f"    {connect('in', source)},",
            f"    {connect('out', stream)}",
            "  );",
        ]
        self._note_glue("gw_delay", f"u_{stream}", "delay", depth)
        return stream

    def _depth(self, tensor: str, source: str, burst: int, *, forked: bool) -> int:
        """Beats that a FIFO holds: as measured, or what can't come to a deadlock.

        Branches of a fork that meet again wait for each other; two tensors are more than what a
        branch can hold back. What its reader takes in a row a FIFO has ready.
        """
        assert self._depths is not None
        beats = self._streams[tensor][1].beats
        default = self._room(tensor) if forked else max(_SHALLOW, burst) if beats > 1 else 0
        return self._depths.get(f"u_{source}_fifo", default)

    def _room(self, tensor: str) -> int:
        return 2 * self._streams[tensor][1].beats + _SHALLOW

    def _fifo(self, tensor: str, source: str, depth: int) -> str:
        stream = f"{source}_held"
        self._declare(stream, tensor)
        carried = self._streams[tensor][1]
        unit = Fifo(depth)
        self._ready[source] = [] if unit.cuts_ready else [stream]
        connections = [
            "    .clk, .rst,",
            f"    {connect('in', source)},",
            f"    {connect('out', stream)}",
        ]
        self._lines += instance(
            unit.module, f"u_{source}_fifo", unit.parameters(carried), connections
        )
        self._note_glue(unit.module, f"u_{source}_fifo", "fifo", int(depth > 0))
        self.glue[-1] = replace(
            self.glue[-1],
            depth=depth,
            width=carried.bits,
            beats=carried.beats,
            room=self._room(tensor),
        )
        return stream

    def _note_glue(self, name: str, instance: str, kind: str, latency: int) -> None:
        self.glue.append(Module(name, f"{name}.sv", instance, "", kind, latency))

    # Ports

    def _slave(self, port: Port, stream: str) -> None:
        width = port.lanes * port.width
        self._lines += [
            f"\n  assign {stream}_valid = {port.prefix}_tvalid;",
            f"  assign {port.prefix}_tready = {stream}_ready;",
            f"  assign {stream}_data = {port.prefix}_tdata[{width - 1}:0];",
        ]

    def _master(self, tensor: Tensor, port: Port, stream: str) -> None:
        carried, times = self._streams[tensor.name][1], self._times[tensor.name]
        for unit in resized(carried.lanes, port.lanes):
            (result,) = unit.result(carried)
            name = f"{stream}_{unit.lanes}"
            self._ready[stream] = [name]
            self._lines += [
                f"\n  logic {name}_valid, {name}_ready;",
                f"  logic [{result.bits - 1}:0] {name}_data;",
                *instance(
                    unit.module,
                    f"u_{name}",
                    unit.parameters(carried),
                    [
                        "    .clk, .rst,",
                        f"    {connect('in', stream)},",
                        f"    {connect('out', name)}",
                    ],
                ),
            ]
            self._note_glue(unit.module, f"u_{name}", "resize", 1)
            times = unit.times((carried,), times)
            stream, carried = name, result
        self._last.append(times.reshape(_TENSORS, -1))
        self._ready[stream] = [port.prefix]
        width = carried.bits
        data = f"{stream}_data"
        if port.tdata_width > width:
            data = f"{{{port.tdata_width - width}'b0, {data}}}"
        self._lines += [
            f"\n  assign {port.prefix}_tvalid = {stream}_valid;",
            f"  assign {stream}_ready = {port.prefix}_tready;",
            f"  assign {port.prefix}_tdata = {data};",
        ]
        if port.beats == 1:
            self._lines.append(f"  assign {port.prefix}_tlast = 1'b1;  // a beat is a whole tensor")
            return
        self._lines += [
            f"  gw_last #(.Beats({port.beats})) u_{stream}_last (",
            f"    .clk, .rst, .valid({stream}_valid), .ready({stream}_ready),",
            f"    .last({port.prefix}_tlast)",
            "  );",
        ]
        self._note_glue("gw_last", f"u_{stream}_last", "last", 0)

    def _paths(self) -> str:
        """What becomes of the paths from readies of outputs to those of inputs."""
        masters = [port.prefix for port in self.masters]
        ends = [
            (master, slave.prefix)
            for stream, slave in zip(self._entries, self.slaves, strict=True)
            for master in self._reached(stream)
        ]
        if not ends:
            return "; FIFOs cut those from m_axis_tready to s_axis_tready"
        if len(ends) == len(masters) * len(self.slaves):
            return ", nor the one from m_axis_tready to s_axis_tready"
        left = ", ".join(f"{master}_tready to {slave}_tready" for master, slave in ends)
        return f"; FIFOs cut those from m_axis_tready to s_axis_tready but {left}"

    def _reached(self, stream: str) -> list[str]:
        """The output ports whose ready a stream's own follows from in the same cycle."""
        found, waiting = {stream}, [stream]
        while waiting:
            new = [each for each in self._ready.get(waiting.pop(), []) if each not in found]
            found.update(new)
            waiting += new
        return [port.prefix for port in self.masters if port.prefix in found]

    def _head(self) -> list[str]:
        whole = all(port.beats == 1 for port in (*self.slaves, *self.masters))
        beat = "a tensor" if whole else "a pixel"
        rate = "a tensor per clock" if self.interval == 1 else f"a tensor per {self.interval}"
        lines = [
            f"/// {self.name}: AXI4-Stream ports, {beat} per beat, element 0 lowest.",
            f"/// {self.latency} clock cycles from input to output, {rate}.",
            f"/// Cuts no path at its inputs{self._paths()}.",
            "/// Reset clears what is in flight. Generated; edits are lost.",
            f"module {self.name} (",
        ]
        clocked = any(placement.clocked for placement in self.placements) or self.glue
        if not clocked:
            lines.append("  /* verilator lint_off UNUSEDSIGNAL */  // nothing here is clocked")
        lines += ["  input  logic clk,", "  input  logic rst,  // synchronous, active high"]
        if not clocked:
            lines.append("  /* verilator lint_on UNUSEDSIGNAL */")
        for port in self.slaves:
            lines += [
                f"  // {port.tensor}: {'x'.join(map(str, port.shape))} {port.type}",
                f"  input  logic {port.prefix}_tvalid,",
                f"  output logic {port.prefix}_tready,",
                "  /* verilator lint_off UNUSEDSIGNAL */  // padding; tlast says nothing new here",
                f"  input  logic {port.prefix}_tlast,",
                f"  input  logic [{port.tdata_width - 1}:0] {port.prefix}_tdata,",
                "  /* verilator lint_on UNUSEDSIGNAL */",
            ]
        for port in self.masters:
            lines += [
                f"  // {port.tensor}: {'x'.join(map(str, port.shape))} {port.type}",
                f"  output logic {port.prefix}_tvalid,",
                f"  input  logic {port.prefix}_tready,",
                f"  output logic {port.prefix}_tlast,",
                f"  output logic [{port.tdata_width - 1}:0] {port.prefix}_tdata,",
            ]
        lines[-1] = lines[-1].rstrip(",")
        return [*lines, ");"]
