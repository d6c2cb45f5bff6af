"""The top module: AXI4-Stream ports, the kernels' modules, forks and delays between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.emit.names import identifiers, ports
from gatewright.project import Module

if TYPE_CHECKING:
    from gatewright.kernels import Tensor
    from gatewright.project import Port


@dataclass(frozen=True)
class Placement:
    """A module to instantiate: its name, the instance's, and what its ports carry.

    Attributes:
        delays: per input, register stages to pass before it is level with the latest input.
        start: pipeline stage of the design in which the inputs arrive.
        latency: pipeline stages of the module; one without has no clock.
    """

    name: str
    instance: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    delays: tuple[int, ...]
    start: int
    latency: int


class Top:
    """A top: its text, the glue in it, its latency.

    A stream in the top is three signals, <stream>_valid, <stream>_ready and <stream>_data.

    Args:
        name: of the module.
        inputs: tensors that enter.
        outputs: tensors that leave.
        placements: the modules in topological order.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        placements: list[Placement],
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.placements = placements
        self.glue: list[Module] = []
        self._lines: list[str] = []
        stage = {tensor.name: 0 for tensor in inputs}
        for placement in placements:
            stage[placement.output.name] = placement.start + placement.latency
        #: Predicted cycles from an input transfer to the latest output's.
        self.latency = max(stage[tensor.name] for tensor in outputs)
        self._body()

    def text(self) -> str:
        """SystemVerilog of the top."""
        return "\n".join([*self._head(), *self._lines, f"endmodule : {self.name}", ""])

    # Structure

    def _body(self) -> None:
        tensors = [*self.inputs, *(placement.output for placement in self.placements)]
        stream_names = identifiers([tensor.name for tensor in tensors])
        readers = {
            tensor.name: self._fan_out(tensor, stream)
            for tensor, stream in zip(tensors, stream_names, strict=True)
        }
        slaves = ports(self.inputs, "s_axis")
        for tensor, port, stream in zip(self.inputs, slaves, stream_names, strict=False):
            self._slave(tensor, port, stream)
        produced = stream_names[len(self.inputs) :]
        for placement, stream in zip(self.placements, produced, strict=True):
            sources = [readers[tensor.name].pop(0) for tensor in placement.inputs]
            self._instance(placement, sources, stream)
        for tensor, port in zip(self.outputs, ports(self.outputs, "m_axis"), strict=True):
            self._master(tensor, port, readers[tensor.name].pop(0))

    def _fan_out(self, tensor: Tensor, stream: str) -> list[str]:
        """Declare a tensor's stream; the streams that its readers take, in order of reading."""
        self._declare(stream, tensor)
        count = sum(
            t.name == tensor.name for placement in self.placements for t in placement.inputs
        )
        count += sum(t.name == tensor.name for t in self.outputs)
        if count == 1:
            return [stream]
        copies = [f"{stream}_{i}" for i in range(count)]
        for copy in copies:
            self._declare(copy, tensor)
        width = tensor.size * tensor.type.width
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

    def _declare(self, stream: str, tensor: Tensor) -> None:
        self._lines += [
            f"\n  // {tensor.name}: {'x'.join(map(str, tensor.shape))} {tensor.type}",
            f"  logic {stream}_valid, {stream}_ready;",
            f"  logic [{tensor.size * tensor.type.width - 1}:0] {stream}_data;",
        ]

    def _instance(self, placement: Placement, sources: list[str], stream: str) -> None:
        levelled = [
            self._delay(tensor, source, delay)
            for tensor, source, delay in zip(
                placement.inputs, sources, placement.delays, strict=True
            )
        ]
        port_names = ["in"] if len(levelled) == 1 else [f"in{i}" for i in range(len(levelled))]
        connections = ["    .clk, .rst,"] if placement.latency else []
        for port, source in zip(port_names, levelled, strict=True):
            connections.append(f"    {_connect(port, source)},")
        connections.append(f"    {_connect('out', stream)}")
        self._lines += [f"\n  {placement.name} {placement.instance} (", *connections, "  );"]

    def _delay(self, tensor: Tensor, source: str, depth: int) -> str:
        """The stream after `depth` registers, which level a short branch with a long one."""
        if depth == 0:
            return source
        stream = f"{source}_z{depth}"
        self._declare(stream, tensor)
        width = tensor.size * tensor.type.width
        self._lines += [
            f"  gw_delay #(.Width({width}), .Depth({depth})) u_{stream} (",
            "    .clk, .rst,",
            f"    {_connect('in', source)},",
            f"    {_connect('out', stream)}",
            "  );",
        ]
        self._note_glue("gw_delay", f"u_{stream}", "delay", depth)
        return stream

    def _note_glue(self, name: str, instance: str, kind: str, latency: int) -> None:
        self.glue.append(Module(name, f"{name}.sv", instance, "", kind, latency))

    # Ports

    def _slave(self, tensor: Tensor, port: Port, stream: str) -> None:
        width = tensor.size * tensor.type.width
        self._lines += [
            f"\n  assign {stream}_valid = {port.prefix}_tvalid;",
            f"  assign {port.prefix}_tready = {stream}_ready;",
            f"  assign {stream}_data = {port.prefix}_tdata[{width - 1}:0];",
        ]

    def _master(self, tensor: Tensor, port: Port, stream: str) -> None:
        width = tensor.size * tensor.type.width
        data = f"{stream}_data"
        if port.tdata_width > width:
            data = f"{{{port.tdata_width - width}'b0, {data}}}"
        self._lines += [
            f"\n  assign {port.prefix}_tvalid = {stream}_valid;",
            f"  assign {stream}_ready = {port.prefix}_tready;",
            f"  assign {port.prefix}_tdata = {data};",
            f"  assign {port.prefix}_tlast = 1'b1;  // a beat is a whole tensor",
        ]

    def _head(self) -> list[str]:
        lines = [
            f"/// {self.name}: AXI4-Stream ports, a tensor per beat, element 0 lowest.",
            f"/// {self.latency} clock cycles from input to output, a tensor per clock.",
            "/// Cuts no path at its inputs, nor the one from m_axis_tready to s_axis_tready.",
            "/// Reset clears what is in flight. Generated; edits are lost.",
            f"module {self.name} (",
        ]
        clocked = any(placement.latency for placement in self.placements) or self.glue
        if not clocked:
            lines.append("  /* verilator lint_off UNUSEDSIGNAL */  // nothing here is clocked")
        lines += ["  input  logic clk,", "  input  logic rst,  // synchronous, active high"]
        if not clocked:
            lines.append("  /* verilator lint_on UNUSEDSIGNAL */")
        for port in ports(self.inputs, "s_axis"):
            lines += [
                f"  // {port.tensor}: {'x'.join(map(str, port.shape))} {port.type}",
                f"  input  logic {port.prefix}_tvalid,",
                f"  output logic {port.prefix}_tready,",
                "  /* verilator lint_off UNUSEDSIGNAL */  // padding; tlast says nothing new here",
                f"  input  logic {port.prefix}_tlast,",
                f"  input  logic [{port.tdata_width - 1}:0] {port.prefix}_tdata,",
                "  /* verilator lint_on UNUSEDSIGNAL */",
            ]
        for port in ports(self.outputs, "m_axis"):
            lines += [
                f"  // {port.tensor}: {'x'.join(map(str, port.shape))} {port.type}",
                f"  output logic {port.prefix}_tvalid,",
                f"  input  logic {port.prefix}_tready,",
                f"  output logic {port.prefix}_tlast,",
                f"  output logic [{port.tdata_width - 1}:0] {port.prefix}_tdata,",
            ]
        lines[-1] = lines[-1].rstrip(",")
        return [*lines, ");"]


def _connect(port: str, stream: str) -> str:
    return ", ".join(f".{port}_{s}({stream}_{s})" for s in ("valid", "ready", "data"))
