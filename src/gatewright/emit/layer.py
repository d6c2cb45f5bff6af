"""The text of a layer's modules: one that joins its units, and those that are generated."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gatewright.emit.verilog import describe, module_text, port_names
from gatewright.kernels import Kernel
from gatewright.units import Feed, Repeat

if TYPE_CHECKING:
    from gatewright.emit.modules import LayerModule, Placed
    from gatewright.units import Rom, Stream

_HANDSHAKE = ("valid", "ready")


def layer_texts(module: LayerModule, name: str) -> dict[str, str]:
    """SystemVerilog of a layer, by module name; the layer's own module is `name`."""
    if module.circuit is not None:
        return {name: module_text(module.circuit, name, _multiplier(module))}
    return _Layer(module, name).texts()


def _multiplier(module: LayerModule) -> str:
    """What a layer's multipliers are to be made of."""
    asked: str = getattr(module.kernels[0], "multiplier", "auto")
    return asked


class _Layer:
    """The module of a layer that is more than one circuit."""

    def __init__(self, module: LayerModule, name: str) -> None:
        self.module = module
        self.name = name
        self.children: dict[str, str] = {}
        self.lines: list[str] = []
        self.taken: Counter[str] = Counter()

    def texts(self) -> dict[str, str]:
        """The layer's module and those that it instantiates."""
        streams = port_names(len(self.module.inputs))
        for port, join in enumerate(self.module.joins):
            for placed in join:
                streams[port] = self._unit(placed, [streams[port]])
        for number, placed in enumerate(self.module.units):
            last = number == len(self.module.units) - 1
            streams = [self._unit(placed, streams, "out" if last else None)]
        text = "\n".join([*self._head(), *self.lines, f"endmodule : {self.name}", ""])
        return {**self.children, self.name: text}

    def _head(self) -> list[str]:
        latency, interval = self.module.measure()
        lines = [describe(kernel) for kernel in self.module.kernels]
        lines += [
            f"/// A tensor per {interval} clock cycles, {latency} from first beat to first beat.",
            "/// Generated; edits are lost.",
            f"module {self.name} (",
            "  input  logic clk,",
            "  input  logic rst,  // synchronous, clears what is in flight",
        ]
        for port, source in zip(
            port_names(len(self.module.inputs)), self.module.sources, strict=True
        ):
            lines += [
                f"  input  logic {port}_valid,",
                f"  output logic {port}_ready,",
                f"  input  logic [{source.bits - 1}:0] {port}_data,  // {_beats(source)}",
            ]
        result = self.module.result
        return [
            *lines,
            "  output logic out_valid,",
            "  input  logic out_ready,",
            f"  output logic [{result.bits - 1}:0] out_data  // {_beats(result)}",
            ");",
        ]

    def _unit(self, placed: Placed, sources: list[str], stream: str | None = None) -> str:
        """Instantiate a unit; the stream that leaves it."""
        label = placed.unit.name
        if placed.circuit is not None:
            body = placed.circuit.bodies[0]
            label = "function" if isinstance(body, Kernel) else type(body).__name__.lower()
        self.taken[label] += 1
        if self.taken[label] > 1:
            label = f"{label}_{self.taken[label]}"
        if stream is None:
            stream = label
            self._declare(stream, placed)
        if placed.circuit is not None:
            self._circuit(placed, sources, stream, label)
        else:
            self._instance(placed, sources, stream, label)
        return stream

    def _declare(self, stream: str, placed: Placed) -> None:
        result = placed.result
        self.lines += [
            f"\n  logic {stream}_valid, {stream}_ready;",
            f"  logic [{result[0].bits - 1}:0] {stream}_data;  // {_beats(result[0])}",
        ]

    def _circuit(self, placed: Placed, sources: list[str], stream: str, label: str) -> None:
        circuit = placed.circuit
        assert circuit is not None
        child = f"{self.name}_{label}"
        self.children[child] = module_text(circuit, child, _multiplier(self.module))
        connections = ["    .clk, .rst,"] if circuit.schedule.latency else []
        ports = port_names(len(circuit.inputs))
        if circuit.bundled and len(ports) > 1:
            handshake = ", ".join(f".{ports[0]}_{s}({sources[0]}_{s})" for s in _HANDSHAKE)
            buses, low = [f"{sources[0]}_data"], 0
            for constants in placed.sources[1:]:
                high = low + constants.bits - 1
                buses.append(f"{sources[0]}_rom_data[{high}:{low}]")
                low = high + 1
            data = ", ".join(f".{p}_data({bus})" for p, bus in zip(ports, buses, strict=True))
            connections.append(f"    {handshake}, {data},")
        else:
            connections += [
                f"    {connect(port, source)}," for port, source in zip(ports, sources, strict=True)
            ]
        connections.append(f"    {connect('out', stream)}")
        self.lines += [f"  {child} u_{label} (", *connections, "  );"]

    def _instance(self, placed: Placed, sources: list[str], stream: str, label: str) -> None:
        unit = placed.unit
        connections = ["    .clk, .rst,"]
        if len(sources) == 1:
            connections.append(f"    {connect('in', sources[0])},")
        else:
            connections += [
                f"    .in_{s}({{{', '.join(f'{source}_{s}' for source in reversed(sources))}}}),"
                for s in ("valid", "ready", "data")
            ]
        if isinstance(unit, Feed | Repeat):
            self._rom(unit.rom, label)
            connections.append(
                f"    .rom_enable({label}_rom_enable), .rom_address({label}_rom_address),"
            )
        if isinstance(unit, Repeat):
            connections.append(f"    .rom_last({label}_rom_data[{unit.rom.width - 1}]),")
        connections.append(f"    {connect('out', stream)}")
        self.lines += [
            *instance(unit.module, f"u_{label}", unit.parameters(*placed.sources), connections)
        ]

    def _rom(self, rom: Rom, label: str) -> None:
        child = f"{self.name}_{label}_rom"
        self.children[child] = rom_text(rom, child)
        address = max(1, (rom.depth - 1).bit_length())
        self.lines += [
            f"  logic {label}_rom_enable;",
            f"  logic [{address - 1}:0] {label}_rom_address;",
            f"  logic [{rom.width - 1}:0] {label}_rom_data;  // weights of the step",
            f"  {child} u_{label}_rom (",
            f"    .clk, .enable({label}_rom_enable), .address({label}_rom_address),",
            f"    .data({label}_rom_data)",
            "  );",
        ]


def instance(
    module: str, name: str, parameters: dict[str, int | str], connections: list[str]
) -> list[str]:
    """Lines that instantiate a module."""
    if not parameters:
        return [f"  {module} {name} (", *connections, "  );"]
    values = [f"    .{key}({value})" for key, value in parameters.items()]
    return [f"  {module} #(", ",\n".join(values), f"  ) {name} (", *connections, "  );"]


def connect(port: str, stream: str) -> str:
    """Connections of the three signals of a stream."""
    return ", ".join(f".{port}_{s}({stream}_{s})" for s in ("valid", "ready", "data"))


def rom_text(rom: Rom, name: str) -> str:
    """SystemVerilog of a ROM with a registered output."""
    address = max(1, (rom.depth - 1).bit_length())
    types = ", ".join(f"{values.shape[1]} x {to}" for values, to in rom.columns)
    digits = -(-rom.width // 4)
    return "\n".join(
        [
            f"/// {rom.depth} words of {types}. Generated; edits are lost.",
            f"module {name} (",
            "  input  logic clk,",
            "  input  logic enable,",
            f"  input  logic [{address - 1}:0] address,",
            f"  output logic [{rom.width - 1}:0] data",
            ");",
            f'  (* rom_style = "{rom.attribute}" *)',
            f"  logic [{rom.width - 1}:0] mem [{rom.depth}];",
            "  initial begin",
            *(
                f"    mem[{i}] = {rom.width}'h{word:0{digits}x};"
                for i, word in enumerate(rom.words())
            ),
            "  end",
            "",
            "  always_ff @(posedge clk) begin",
            "    if (enable) data <= mem[address];",
            "  end",
            f"endmodule : {name}",
            "",
        ]
    )


def _beats(stream: Stream) -> str:
    beats = "a beat" if stream.beats == 1 else f"{stream.beats} beats"
    return f"{beats} of {stream.lanes} x {stream.type}"
