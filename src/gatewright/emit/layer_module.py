"""The netlists of a layer: its own module, which joins its units, and those below it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gatewright.emit.circuit_module import circuit_module, describe, port_names
from gatewright.emit.credit import CreditNets
from gatewright.emit.layers import PlacedLoop
from gatewright.emit.netlist import (
    CLOCK,
    Concat,
    Connections,
    Declaration,
    Instance,
    Item,
    Module,
    Net,
    Select,
    StreamNets,
    clock_ports,
)
from gatewright.emit.rom import address_bits, rom_module
from gatewright.kernels import Kernel
from gatewright.units import BeatSequencer, Fifo, OperandSequencer

if TYPE_CHECKING:
    from gatewright.emit.layers import LayerModule, Placed
    from gatewright.units import Rom, Stream


def layer_modules(module: LayerModule, name: str, about: tuple[str, ...]) -> list[Module]:
    """The netlists of a layer; the last is the layer's own, called `name`.

    Args:
        module: the layer.
        name: of its module.
        about: header lines on how it was made.
    """
    if module.circuit is not None:
        return [circuit_module(module.circuit, name, about, module.multiplier)]
    return _Builder(module, name, about).build()


class _Builder:
    """The module of a layer that is more than one circuit."""

    def __init__(self, module: LayerModule, name: str, about: tuple[str, ...]) -> None:
        self.module = module
        self.name = name
        self.about = about
        self.children: list[Module] = []
        self.items: list[Item] = []
        self.taken: Counter[str] = Counter()
        units = [placed for placed in module.units if not isinstance(placed.unit, Fifo)]
        self.last = units[-1]  # whose result is the layer's

    def build(self) -> list[Module]:
        """The modules that it instantiates, and itself."""
        module = self.module
        inputs = [
            _nets(port, source)
            for port, source in zip(port_names(len(module.inputs)), module.sources, strict=True)
        ]
        output = _nets("out", module.result)
        streams = list(inputs)
        for port, join in enumerate(module.joins):
            for placed in join:
                streams[port] = self._unit(placed, [streams[port]])
        for placed in module.units[:-1]:
            streams = [self._unit(placed, streams)]
        self._unit(module.units[-1], streams, output)
        latency, interval = module.measure()
        header = (
            *(describe(kernel) for kernel in module.kernels),
            f"One tensor per {interval} clock cycles; latency {latency}, from first beat to "
            f"first beat.",
            *self.about,
        )
        ports = (
            *clock_ports("synchronous, clears what is in flight"),
            *(port for stream in inputs for port in stream.input_ports()),
            *output.output_ports(),
        )
        return [*self.children, Module(self.name, header, ports, tuple(self.items))]

    def _unit(
        self, placed: Placed, sources: list[StreamNets], result: StreamNets | None = None
    ) -> StreamNets:
        """Instantiate a unit; returns its output stream, `result` if given."""
        label = self._label(placed)
        if result is None:
            result = _nets(label, placed.result[0])
            self.items.append(Declaration((result.valid, result.ready, result.data)))
        if placed.circuit is not None:
            self._circuit(placed, sources, result, label)
        elif isinstance(placed, PlacedLoop):
            self._loop(placed, sources, result, label)
        else:
            self._instance(placed, sources, result, label)
        return result

    def _label(self, placed: Placed) -> str:
        """The name of a unit, distinct in the layer."""
        label = placed.unit.name
        if placed.circuit is not None:
            body = placed.circuit.parts[0]
            label = "function" if isinstance(body, Kernel) else type(body).__name__.lower()
        self.taken[label] += 1
        return f"{label}_{self.taken[label]}" if self.taken[label] > 1 else label

    def _circuit(
        self, placed: Placed, sources: list[StreamNets], result: StreamNets, label: str
    ) -> None:
        circuit = placed.circuit
        assert circuit is not None
        child = f"{self.name}_{label}"
        last = placed is self.last
        self.children.append(
            circuit_module(circuit, child, self.about, self.module.multiplier, last=last)
        )
        if circuit.free:
            self._credited(placed, sources, result, label)
            return
        connections: Connections = dict(CLOCK) if circuit.schedule.latency else {}
        connections |= self._inputs(placed, sources) | result.connected("out")
        self.items.append(Instance(child, f"u_{label}", connections))

    def _loop(
        self, placed: PlacedLoop, sources: list[StreamNets], result: StreamNets, label: str
    ) -> None:
        """Instantiate a loop, and what makes the next state of a beat and the state."""
        (entering,) = sources
        state, made = (_nets(f"{label}_{what}", placed.loop.stream) for what in ("state", "next"))
        connections: Connections = {
            **CLOCK,
            "in_valid": entering.valid.ref,
            "in_ready": entering.ready.ref,
            **state.connected("go"),
            **made.connected("back"),
            **result.connected("out"),
        }
        parameters = placed.unit.parameters(*placed.sources)
        self.items += [Declaration((net.valid, net.ready, net.data)) for net in (state, made)]
        self.items.append(Instance(placed.unit.module, f"u_{label}", connections, parameters))
        *body, cell = placed.body
        streams = [state]
        for each in body:
            streams = [self._unit(each, streams)]
        self._cell(cell, [*streams, entering, state], made)

    def _cell(self, placed: Placed, sources: list[StreamNets], result: StreamNets) -> None:
        """Instantiate the last circuit of a loop; only its first input has a handshake."""
        circuit = placed.circuit
        assert circuit is not None
        label = self._label(placed)
        child = f"{self.name}_{label}"
        self.children.append(
            circuit_module(circuit, child, self.about, self.module.multiplier, last=False)
        )
        first, *others = port_names(len(sources))
        connections: Connections = dict(CLOCK) if circuit.schedule.latency else {}
        connections |= sources[0].connected(first)
        for port, source in zip(others, sources[1:], strict=True):
            connections[f"{port}_data"] = source.data.ref
        connections |= result.connected("out")
        self.items.append(Instance(child, f"u_{label}", connections))

    def _credited(
        self, placed: Placed, sources: list[StreamNets], result: StreamNets, label: str
    ) -> None:
        """Instantiate a circuit that never waits between a gate and a FIFO of its own."""
        circuit = placed.circuit
        assert circuit is not None
        latency = circuit.schedule.latency
        nets = CreditNets(f"{label}_", (latency,))
        self.items.extend(nets.gate(f"u_{label}_gate", sources))
        inside = Net(f"{label}_inside", result.bits)
        self.items.append(Declaration((inside,)))
        inputs = self._inputs(placed, sources).items()
        connections: Connections = {"clk": CLOCK["clk"]} if latency else {}
        connections |= {port: net for port, net in inputs if port.endswith("_data")}
        connections["out_data"] = inside.ref
        self.items.append(Instance(f"{self.name}_{label}", f"u_{label}", connections))
        fifo = Fifo(latency + 2)
        self.items.extend(nets.collector(f"u_{label}_fifo", 0, inside, result, fifo))

    def _inputs(self, placed: Placed, sources: list[StreamNets]) -> Connections:
        """What the input ports of a circuit are connected to."""
        circuit = placed.circuit
        assert circuit is not None
        ports = port_names(len(circuit.inputs))
        connections: Connections = {}
        if circuit.shared_handshake and len(ports) > 1:
            (source,) = sources
            connections |= source.connected(ports[0])
            words, low = Net(f"{source.name}_rom_data").ref, 0
            for port, constants in zip(ports[1:], placed.sources[1:], strict=True):
                connections[f"{port}_data"] = Select(words, low + constants.bits - 1, low)
                low += constants.bits
        else:
            for port, source in zip(ports, sources, strict=True):
                connections |= source.connected(port)
        return connections

    def _instance(
        self, placed: Placed, sources: list[StreamNets], result: StreamNets, label: str
    ) -> None:
        unit = placed.unit
        connections = CLOCK | _joined(sources)
        if isinstance(unit, OperandSequencer | BeatSequencer):
            connections |= self._rom(unit.rom, label)
        if isinstance(unit, BeatSequencer):
            last = unit.rom.width - 1
            connections["rom_last"] = Select(Net(f"{label}_rom_data").ref, last, last)
        connections |= result.connected("out")
        parameters = unit.parameters(*placed.sources)
        self.items.append(Instance(unit.module, f"u_{label}", connections, parameters))

    def _rom(self, rom: Rom, label: str) -> Connections:
        """Instantiate a ROM; returns the connections of the unit that reads it."""
        child = f"{self.name}_{label}_rom"
        self.children.append(rom_module(rom, child, self.about))
        enable = Net(f"{label}_rom_enable")
        address = Net(f"{label}_rom_address", address_bits(rom))
        data = Net(f"{label}_rom_data", rom.width, comment="weights of the step")
        self.items += [
            Declaration((enable, address, data)),
            Instance(
                child,
                f"u_{label}_rom",
                {
                    "clk": CLOCK["clk"],
                    "enable": enable.ref,
                    "address": address.ref,
                    "data": data.ref,
                },
            ),
        ]
        return {"rom_enable": enable.ref, "rom_address": address.ref}


def _joined(sources: list[StreamNets]) -> Connections:
    """A unit's input: a stream, or several side by side, the first in the lowest bits."""
    if len(sources) == 1:
        return sources[0].connected("in")
    each = [source.connected("in") for source in reversed(sources)]
    return {port: Concat(tuple(one[port] for one in each)) for port in each[0]}


def _nets(name: str, stream: Stream) -> StreamNets:
    beats = "a beat" if stream.beats == 1 else f"{stream.beats} beats"
    return StreamNets(name, stream.bits, f"{beats} of {stream.lanes} x {stream.type}")
