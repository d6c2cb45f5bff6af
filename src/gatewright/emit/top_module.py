"""The netlist of a top: ports of a bus protocol, the layers' modules, and what joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.emit.circuit_module import port_names
from gatewright.emit.credit import CreditNets
from gatewright.emit.interconnect import (
    Collector,
    Converter,
    Entry,
    Exit,
    Fork,
    FrameCheck,
    Gate,
    Glue,
    Layer,
    Shift,
)
from gatewright.emit.netlist import (
    CLOCK,
    Assign,
    Comment,
    Concat,
    Connections,
    Declaration,
    Instance,
    Item,
    Module,
    Net,
    Select,
    StreamNets,
    Zeros,
    clock_ports,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewright.emit.interconnect import Interconnect, Link
    from gatewright.emit.protocol import Attached, Protocol
    from gatewright.rtl.manifest import Port


def top_module(
    joined: Interconnect,
    protocol: Protocol,
    name: str,
    rate: str,
    about: tuple[str, ...],
) -> Module:
    """The netlist of a top.

    Args:
        joined: the design.
        protocol: of its ports.
        name: of the module.
        rate: line of the header on latency and initiation interval.
        about: lines of the header on how it was made.
    """
    entering = {
        entry.port.prefix: protocol.enter(entry.port, _nets(entry.results[0]))
        for entry in joined.entries
    }
    leaving = {
        exit_.port.prefix: protocol.leave(exit_.port, _nets(exit_.sources[0]))
        for exit_ in joined.exits
    }
    attached = entering | leaving
    items = _items(joined, attached, protocol)
    clocked = any(isinstance(i, Instance) and i.connections.get("clk") for i in items)
    outside = [*(e.port for e in joined.entries), *(e.port for e in joined.exits)]
    header = (
        f"{name}: {protocol.title} ports, {_carried(outside)}, element 0 lowest.",
        rate,
        f"Cuts no path at its inputs{_ready_paths(joined, protocol)}.",
        "Reset clears what is in flight.",
        *about,
    )
    clock = clock_ports("synchronous, active high", "" if clocked else "nothing here is clocked")
    ports = (*clock, *(port for each in attached.values() for port in each.ports))
    return Module(name, header, ports, items)


def _carried(ports: list[Port]) -> str:
    """What beats of ports are."""
    if ports[0].bus_width:
        return f"tensors in words of {ports[0].bus_width} bits"
    return f"{'a tensor' if all(port.beats == 1 for port in ports) else 'a pixel'} per beat"


def _items(
    joined: Interconnect, attached: dict[str, Attached], protocol: Protocol
) -> tuple[Item, ...]:
    items: list[Item] = []
    declared = set()

    def declare(links: tuple[Link, ...]) -> None:
        for link in links:
            if link.name not in declared:
                declared.add(link.name)
                nets = _nets(link)
                items.append(Comment(_described(link)))
                each = (nets.data,) if link.free else (nets.valid, nets.ready, nets.data)
                items.append(Declaration(each))

    for node in joined.nodes:
        declare((*node.sources, *node.results))
        match node:
            case Entry() | Exit():
                items.extend(attached[node.port.prefix].items)
            case FrameCheck():
                connections = CLOCK | _nets(node.sources[0]).connected("in")
                connections |= _nets(node.results[0]).connected("out")
                connections |= protocol.frame(node.port)
                items.append(Instance(node.module, node.instance, connections, node.parameters))
            case Gate():
                items.extend(_gate(node))
            case Converter():
                items.extend(_converter(node))
            case Collector():
                items.extend(_collector(node))
            case Fork():
                copies = [_nets(link).connected("out") for link in reversed(node.results)]
                outputs: Connections = {
                    port: Concat(tuple(copy[port] for copy in copies)) for port in copies[0]
                }
                connections = CLOCK | _nets(node.sources[0]).connected("in") | outputs
                items.append(Instance(node.module, node.instance, connections, node.parameters))
            case Shift():
                connections = {"clk": CLOCK["clk"], **_data(node.sources[0], "in")}
                connections |= _data(node.results[0], "out")
                items.append(Instance(node.module, node.instance, connections, node.parameters))
            case Glue():
                connections = CLOCK | _nets(node.sources[0]).connected("in")
                connections |= _nets(node.results[0]).connected("out")
                items.append(Instance(node.module, node.instance, connections, node.parameters))
            case Layer():
                items.append(_layer(node))
    return tuple(items)


def _layer(node: Layer) -> Instance:
    clock = {"clk": CLOCK["clk"]} if node.free else CLOCK
    connections = dict(clock) if node.clocked else {}
    for port, link in zip(port_names(len(node.sources)), node.sources, strict=True):
        connections |= _data(link, port) if node.free else _nets(link).connected(port)
    (result,) = node.results
    connections |= _data(result, "out") if node.free else _nets(result).connected("out")
    return Instance(node.module, node.instance, connections)


def _data(link: Link, port: str) -> Connections:
    """The data of a stream alone at the ports of an instance."""
    return {f"{port}_data": _nets(link).data.ref}


def _gate(node: Gate) -> Iterator[Item]:
    """The gate, and the data that pass it by."""
    yield from CreditNets("", node.stages).gate(node.instance, [_nets(s) for s in node.sources])
    for source, result in zip(node.sources, node.results, strict=True):
        yield Assign(_nets(result).data.ref, _nets(source).data.ref)


def _converter(node: Converter) -> Iterator[Item]:
    """A converter, with beats padded to whole bytes."""
    source, result = _nets(node.sources[0]), _nets(node.results[0])
    connections = CLOCK | source.connected("in") | result.connected("out")
    padding = node.unit.width - source.bits
    if padding:
        connections["in_data"] = Concat((Zeros(padding), source.data.ref))
    padded = node.unit.out_width > result.bits
    octets = Net(f"{result.name}_octets", node.unit.out_width, unread="padding")
    if padded:
        yield Declaration((octets,))
        connections["out_data"] = octets.ref
    yield Instance(node.module, node.instance, connections, node.parameters)
    if padded:
        yield Assign(result.data.ref, Select(octets.ref, result.bits - 1, 0))


def _collector(node: Collector) -> Iterator[Item]:
    return CreditNets("", node.stages).collector(
        node.instance,
        node.output,
        _nets(node.sources[0]).data,
        _nets(node.results[0]),
        node.unit,
    )


def _nets(link: Link) -> StreamNets:
    return StreamNets(link.name, link.stream.bits)


def _described(link: Link) -> str:
    """A comment on a stream."""
    tensor, stream = link.tensor, link.stream
    size = str(stream.lanes) if stream.type == tensor.type else f"{stream.bits} bits"
    beats = f", {stream.beats} beats of {size}" if stream.beats > 1 else ""
    return f"{tensor.name}: {'x'.join(map(str, tensor.shape))} {tensor.type}{beats}"


def _ready_paths(joined: Interconnect, protocol: Protocol) -> str:
    """What happens to the paths from outputs' ready to inputs' ready."""
    paths, chain = joined.ready_paths(), protocol.ready_path
    if not paths:
        return f"; FIFOs cut those from {chain}"
    if len(paths) == len(joined.entries) * len(joined.exits):
        return f", nor the one from {chain}"
    left = ", ".join(f"{protocol.ready(leaving)} to {protocol.ready(at)}" for leaving, at in paths)
    return f"; FIFOs cut those from {chain} but {left}"
