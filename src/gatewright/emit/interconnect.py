"""Connections between a design's modules: forks, delays, FIFOs, resizers, and their streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from gatewright.emit.credit import CreditNets
from gatewright.fixed import FixedType
from gatewright.rtl.identifiers import identifiers
from gatewright.units import Element, Fifo, Gearbox, Resize, Stream, resized
from gatewright.units.unit import paced

if TYPE_CHECKING:
    from gatewright.circuit.fabric import Fabric
    from gatewright.emit.layers import LayerModule
    from gatewright.kernels import Tensor
    from gatewright.rtl.manifest import Port
    from gatewright.units.unit import Times

#: Depth of a FIFO whose need has not been measured; a LUT RAM is no smaller.
_SHALLOW = 16

#: Beats of the FIFO at a registered port: as few as keep up one beat a clock.
_SLICE = 2

#: Number of tensors in a prediction: enough for a steady state.
_TENSORS = 4


@dataclass(frozen=True)
class Link:
    """A stream between modules.

    Attributes:
        name: an identifier, distinct.
        tensor: what it carries.
        stream: how it carries it.
        free: whether it runs without a handshake, as part of a pipeline that never waits.
    """

    name: str
    tensor: Tensor
    stream: Stream
    free: bool = False


@dataclass(frozen=True)
class Node(ABC):
    """Something between streams.

    Attributes:
        instance: its name in the top; "" if it is not an instance.
        sources: the streams that it reads.
        results: the streams that it writes.
    """

    instance: str
    sources: tuple[Link, ...]
    results: tuple[Link, ...]

    @property
    def cuts_ready(self) -> bool:
        """Whether its input's ready depends on registers alone."""
        return False


@dataclass(frozen=True)
class Entry(Node):
    """An input port of the design."""

    port: Port


@dataclass(frozen=True)
class Exit(Node):
    """An output port of the design."""

    port: Port


@dataclass(frozen=True)
class Layer(Node):
    """An instance of a layer's module.

    Attributes:
        module: its name.
        clocked: whether it has a clock.
        free: whether it has no handshake.
    """

    module: str
    clocked: bool
    free: bool = False


@dataclass(frozen=True)
class Glue(Node):
    """An instance of a module of the library."""

    kind: ClassVar[str]
    module: ClassVar[str]

    @property
    @abstractmethod
    def parameters(self) -> dict[str, int | str]:
        """Parameters of the instance."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Clock cycles from the first beat that enters to the first that leaves."""

    def times(self, arrivals: Times) -> Times:
        """Clock cycles in which beats are offered, given those in which beats come."""
        return arrivals + self.latency


@dataclass(frozen=True)
class Fork(Glue):
    """Copies a stream to several readers."""

    kind = "fork"
    module = "gw_fork"

    @property
    @override
    def parameters(self) -> dict[str, int | str]:
        return {"Width": self.sources[0].stream.bits, "Outputs": len(self.results)}

    @property
    @override
    def latency(self) -> int:
        return 0


@dataclass(frozen=True)
class Delay(Glue):
    """Registers that balance a short branch with a long one."""

    kind = "delay"
    module = "gw_delay"

    depth: int

    @property
    @override
    def parameters(self) -> dict[str, int | str]:
        return {"Width": self.sources[0].stream.bits, "Depth": self.depth}

    @property
    @override
    def latency(self) -> int:
        return self.depth


@dataclass(frozen=True)
class Shift(Delay):
    """The same in a pipeline that never waits."""

    module = "gw_shift"


@dataclass(frozen=True)
class Gate(Glue):
    """Lets a beat of each input into a pipeline that never waits.

    Attributes:
        stages: per output of the design, register stages from the inputs to it.
    """

    kind = "gate"
    module = CreditNets.module

    stages: tuple[int, ...]

    @property
    @override
    def parameters(self) -> dict[str, int | str]:
        return {}

    @property
    @override
    def latency(self) -> int:
        return 0

    @override
    def times(self, arrivals: Times) -> Times:
        return arrivals

    @property
    @override
    def cuts_ready(self) -> bool:
        return True


@dataclass(frozen=True)
class FrameCheck(Glue):
    """Drops the frames at a port that are too short or too long."""

    kind = "frame"
    module = "gw_frame"

    port: Port

    @property
    @override
    def parameters(self) -> dict[str, int | str]:
        stream = self.sources[0].stream
        return {"Width": stream.bits, "Beats": stream.beats}

    @property
    @override
    def latency(self) -> int:
        beats = self.sources[0].stream.beats
        return beats if beats > 1 else 0

    @override
    def times(self, arrivals: Times) -> Times:
        """A frame leaves whole, the cycle after its last beat came."""
        beats = self.sources[0].stream.beats
        if beats == 1:
            return arrivals
        leaving = arrivals.reshape(-1, beats)[:, -1:] + 1 + np.arange(beats)
        return paced(leaving.ravel(), 1)

    @property
    @override
    def cuts_ready(self) -> bool:
        return self.sources[0].stream.beats > 1


@dataclass(frozen=True)
class Between(Glue):
    """A unit between modules."""

    unit: Fifo | Gearbox | Resize

    @property
    @override
    def parameters(self) -> dict[str, int | str]:
        return self.unit.parameters(self.sources[0].stream)

    @override
    def times(self, arrivals: Times) -> Times:
        return self.unit.times((self.sources[0].stream,), arrivals)


@dataclass(frozen=True)
class Buffer(Between):
    """A FIFO before a module.

    Attributes:
        unit: the FIFO.
        room: an upper bound on the beats that it needs.
    """

    kind = "fifo"
    module = Fifo.module

    unit: Fifo
    room: int

    @property
    @override
    def latency(self) -> int:
        return int(self.unit.depth > 0)

    @property
    @override
    def cuts_ready(self) -> bool:
        return self.unit.cuts_ready


@dataclass(frozen=True)
class Collector(Between):
    """The FIFO at the end of a pipeline that never waits.

    Attributes:
        unit: the FIFO.
        output: number of the design's output.
        stages: as of the gate.
    """

    kind = "collector"
    module = Fifo.module

    unit: Fifo
    output: int
    stages: tuple[int, ...]

    @property
    @override
    def latency(self) -> int:
        return 1

    @property
    @override
    def cuts_ready(self) -> bool:
        return True


@dataclass(frozen=True)
class Slice(Between):
    """A FIFO of two beats at a port, whose paths so end at registers."""

    kind = "slice"
    module = Fifo.module

    unit: Fifo

    @property
    @override
    def latency(self) -> int:
        return 1

    @property
    @override
    def cuts_ready(self) -> bool:
        return True


@dataclass(frozen=True)
class Resizer(Between):
    """Makes the beats of a stream those of a port."""

    kind = "resize"
    module = Resize.module

    @property
    @override
    def latency(self) -> int:
        return 1


@dataclass(frozen=True)
class Converter(Between):
    """Makes words of a bus of a stream's beats, or the other way round."""

    kind = "converter"
    module = Gearbox.module

    unit: Gearbox

    @property
    @override
    def latency(self) -> int:
        return int(self.times(np.arange(self.sources[0].stream.beats))[0])


@dataclass(frozen=True)
class Part:
    """A layer's module to be joined with others.

    Attributes:
        module: its name.
        instance: name of the instance.
        inputs: tensors read.
        output: tensor written.
        result: how the output's stream carries it.
        clocked: whether it has a clock.
        free: whether it has no handshake.
    """

    module: str
    instance: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    result: Stream
    clocked: bool
    free: bool = False


@dataclass(frozen=True)
class LockStep:
    """Modules that take a tensor per clock: delays balance the branches.

    Attributes:
        stages: by instance, the register stages before each of its inputs; by default none.
    """

    stages: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Credit:
    """Modules that take a tensor per clock and never wait, between one gate and FIFOs.

    Attributes:
        stages: as of `LockStep`.
        latency: by output of the design, register stages from the inputs to it.
        fabric: of the target, which chooses the FIFOs' memory.
    """

    stages: Mapping[str, tuple[int, ...]]
    latency: Mapping[str, int]
    fabric: Fabric


@dataclass(frozen=True)
class Elastic:
    """Modules that work at their own pace, with FIFOs between them.

    Attributes:
        depths: measured depths of FIFOs in beats, by instance name.
        bursts: by instance, see `LayerModule.bursts`.
        pauses: by instance, see `LayerModule.pauses`.
        fabric: of the target, which chooses the FIFOs' memory.
    """

    depths: Mapping[str, int]
    bursts: Mapping[str, tuple[int, ...]]
    pauses: Mapping[str, tuple[int, ...]]
    fabric: Fabric


@dataclass(frozen=True)
class PortLogic:
    """What stands between ports and the design.

    Attributes:
        registered: a FIFO of two beats, so that each path from or to a port ends at a register.
    """

    registered: bool = False


#: What stands between the modules of a design.
Balance = LockStep | Credit | Elastic


@dataclass(frozen=True)
class Interconnect:
    """A top as a graph.

    Attributes:
        links: its streams, in the order of their writers.
        nodes: what stands between them.
    """

    links: tuple[Link, ...]
    nodes: tuple[Node, ...]

    @property
    def entries(self) -> list[Entry]:
        """The ports by which tensors enter, in order."""
        return [node for node in self.nodes if isinstance(node, Entry)]

    @property
    def exits(self) -> list[Exit]:
        """The ports by which tensors leave, in order."""
        return [node for node in self.nodes if isinstance(node, Exit)]

    def readers(self) -> dict[str, list[Node]]:
        """What reads a stream, by its name; several nodes only of one without a handshake."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for link in node.sources:
                found.setdefault(link.name, []).append(node)
        return found

    def ready_paths(self) -> list[tuple[Port, Port]]:
        """Ports (exit, entry) with a combinational path from the first's ready to the second's."""
        readers = self.readers()
        found = []
        for entry in self.entries:
            seen: set[str] = set()
            waiting = list(entry.results)
            while waiting:
                link = waiting.pop()
                if link.name in seen:
                    continue
                seen.add(link.name)
                for reader in readers[link.name]:
                    waiting += () if reader.cuts_ready else reader.results
            found += [
                (leaving.port, entry.port)
                for leaving in self.exits
                if leaving.sources[0].name in seen
            ]
        return found


def interconnect(
    inputs: Sequence[tuple[Tensor, Stream, Port]],
    outputs: Sequence[tuple[Tensor, Port]],
    parts: Sequence[Part],
    balance: Balance,
    ports: PortLogic = PortLogic(),
) -> Interconnect:
    """Join modules.

    Args:
        inputs: tensors that enter, with how they do.
        outputs: tensors that leave.
        parts: the modules, in topological order.
        balance: what stands between them.
        ports: what stands before and behind them.
    """
    return _Joiner(inputs, outputs, parts, balance, ports).joined()


class _Joiner:
    def __init__(
        self,
        inputs: Sequence[tuple[Tensor, Stream, Port]],
        outputs: Sequence[tuple[Tensor, Port]],
        parts: Sequence[Part],
        balance: Balance,
        ports: PortLogic,
    ) -> None:
        self.inputs, self.outputs, self.parts, self.balance = inputs, outputs, parts, balance
        self.ports = ports
        self.entering = {tensor.name: port for tensor, _, port in inputs}
        carried = {tensor.name: (tensor, stream) for tensor, stream, _ in inputs}
        carried |= {part.output.name: (part.output, part.result) for part in parts}
        names = identifiers(list(carried))
        self.own = set(names)
        self.written = {
            tensor.name: Link(name, tensor, stream)
            for name, (tensor, stream) in zip(names, carried.values(), strict=True)
        }
        self.count = Counter(tensor.name for part in parts for tensor in part.inputs)
        self.count.update(tensor.name for tensor, _ in outputs)
        self.links: list[Link] = []
        self.nodes: list[Node] = []

    def joined(self) -> Interconnect:
        entries = [
            node
            for tensor, _, port in self.inputs
            for node in self._entering(self.written[tensor.name], port)
        ]
        if isinstance(self.balance, Credit):
            self.nodes, entries = entries, []
            self._gate(self.balance)
        read = {tensor: self._fan_out(link) for tensor, link in self.written.items()}
        self.nodes += entries
        for part in self.parts:
            sources = tuple(
                self._balanced(part, index, read[tensor.name].pop(0))
                for index, tensor in enumerate(part.inputs)
            )
            result = self.written[part.output.name]
            self.nodes.append(
                Layer(part.instance, sources, (result,), part.module, part.clocked, part.free)
            )
        for number, (tensor, port) in enumerate(self.outputs):
            source = read[tensor.name].pop(0)
            if isinstance(self.balance, Credit):
                source = self._collected(source, self.balance, number)
            source = self._sliced(self._converted(self._resized(source, port.lanes), port))
            self.nodes.append(Exit("", (source,), (), port))
        return Interconnect(tuple(self.links), tuple(self.nodes))

    def _link(self, link: Link) -> Link:
        self.links.append(link)
        return link

    def _derived(self, name: str, what: object) -> str:
        """A name for what becomes of a tensor, which no other tensor has."""
        found = f"{name}_{what}"
        while found in self.own:
            found += "_"
        return found

    def _entering(self, link: Link, port: Port) -> list[Node]:
        """The entry of a tensor, and what stands between it and the design."""
        stages: list[Callable[[Link, Link], Node]] = []
        if port.checked:  # at the port itself, where the mark of a frame's end is
            stages.append(partial(_frame_check, port))
        if self.ports.registered:
            stages.append(_slice)
        if port.bus_width:
            stages.append(partial(_from_bus, port))
        names = ("port", "whole", "words")[: len(stages)]
        outside = replace(link, stream=_outside(port, link.stream))
        sources = [
            self._link(replace(outside, name=self._derived(link.name, name))) for name in names
        ]
        links = [*sources, link]
        passed = [stage(*pair) for stage, pair in zip(stages, pairwise(links), strict=True)]
        return [Entry("", (), (links[0],), port), *passed]

    def _converted(self, source: Link, port: Port) -> Link:
        """What leaves, as a port has it."""
        if not port.bus_width:
            return source
        if isinstance(self.balance, Elastic) and port.is_slow:
            # A bus that takes less than a beat a clock must not stand still while a border passes.
            source = self._buffered(source, self.balance, port.stream_beats, forked=False)
        stream = _outside(port, source.stream)
        result = self._link(
            replace(source, name=self._derived(source.name, "words"), stream=stream)
        )
        self.nodes.append(_to_bus(port, source, result))
        return result

    def _sliced(self, source: Link) -> Link:
        """What leaves, behind a FIFO of two beats if outputs are registered."""
        if not self.ports.registered:
            return source
        result = self._link(replace(source, name=self._derived(source.name, "port")))
        self.nodes.append(_slice(source, result))
        return result

    def _gate(self, balance: Credit) -> None:
        """Put the gate behind the entries; what is written from here on has no handshake."""
        outside = {tensor.name: self._link(self.written[tensor.name]) for tensor, *_ in self.inputs}
        self.written = {
            name: replace(
                link,
                free=True,
                name=self._derived(link.name, "in") if name in outside else link.name,
            )
            for name, link in self.written.items()
        }
        inside = tuple(self.written[name] for name in outside)
        self.nodes.append(Gate("u_gate", tuple(outside.values()), inside, self._stages(balance)))

    def _stages(self, balance: Credit) -> tuple[int, ...]:
        """Per output of the design, register stages from the inputs to it."""
        return tuple(balance.latency[tensor.name] for tensor, _ in self.outputs)

    def _collected(self, source: Link, balance: Credit, output: int) -> Link:
        """What leaves the pipeline, behind its FIFO, which has room for all that is in flight."""
        latency = balance.latency[source.tensor.name]
        one = len(self.outputs) == 1
        name = self._derived(source.name, "out" if one else f"out{output}")
        result = self._link(Link(name, source.tensor, source.stream))
        unit = _fifo(latency + 2, source, balance.fabric)
        stages = self._stages(balance)
        self.nodes.append(Collector(f"u_{name}_fifo", (source,), (result,), unit, output, stages))
        return result

    def _fan_out(self, link: Link) -> list[Link]:
        """The streams that a tensor's readers take, in order of reading."""
        self._link(link)
        count = self.count[link.tensor.name]
        if count == 1 or link.free:
            return [link] * count
        copies = [
            self._link(Link(self._derived(link.name, i), link.tensor, link.stream))
            for i in range(count)
        ]
        self.nodes.append(Fork(f"u_{link.name}_fork", (link,), tuple(copies)))
        return copies

    def _balanced(self, part: Part, index: int, source: Link) -> Link:
        """The stream that a module reads, after balancing."""
        if not isinstance(self.balance, Elastic):
            stages = self.balance.stages.get(part.instance)
            return self._delayed(source, stages[index]) if stages else source
        forked = self.count[source.tensor.name] > 1
        burst = self.balance.bursts[part.instance][index]
        port = self.entering.get(source.tensor.name)
        if port and port.is_slow:
            # A bus that brings less than a beat a clock must not stand still meanwhile.
            pause = self.balance.pauses[part.instance][index]
            burst = max(burst, ceil(pause * port.stream_beats / port.beats))
        elif port and not forked:
            return source
        return self._buffered(source, self.balance, burst, forked=forked)

    def _delayed(self, source: Link, depth: int) -> Link:
        if depth == 0:
            return source
        result = replace(source, name=self._derived(source.name, f"z{depth}"))
        if result in self.links:  # a reader as late as another one of the same tensor
            return result
        kind = Shift if source.free else Delay
        self.nodes.append(kind(f"u_{result.name}", (source,), (self._link(result),), depth))
        return result

    def _buffered(self, source: Link, balance: Elastic, burst: int, *, forked: bool) -> Link:
        """The stream after a FIFO, as deep as measured, or deep enough to rule out deadlocks.

        Branches of a fork that meet again wait for each other; two tensors are more than what a
        branch can hold back. What its reader takes in a row a FIFO has ready.
        """
        beats = source.stream.beats
        room = 2 * beats + _SHALLOW
        default = room if forked else max(_SHALLOW, burst) if beats > 1 else 0
        instance = f"u_{source.name}_fifo"
        result = self._link(Link(self._derived(source.name, "held"), source.tensor, source.stream))
        unit = _fifo(balance.depths.get(instance, default), source, balance.fabric)
        self.nodes.append(Buffer(instance, (source,), (result,), unit, room))
        return result

    def _resized(self, source: Link, lanes: int) -> Link:
        for unit in resized(source.stream.lanes, lanes):
            (stream,) = unit.result(source.stream)
            result = self._link(Link(self._derived(source.name, unit.lanes), source.tensor, stream))
            self.nodes.append(Resizer(f"u_{result.name}", (source,), (result,), unit))
            source = result
        return source


def _fifo(depth: int, source: Link, fabric: Fabric) -> Fifo:
    return Fifo(depth, fabric.fifo_style(source.stream.bits, depth))


def _slice(source: Link, result: Link) -> Node:
    return Slice(f"u_{result.name}_slice", (source,), (result,), Fifo(_SLICE))


def _frame_check(port: Port, source: Link, result: Link) -> Node:
    return FrameCheck(f"u_{result.name}_frame", (source,), (result,), port)


def _outside(port: Port, stream: Stream) -> Stream:
    """How a port carries a stream: as it is, or as words of a bus."""
    if not port.bus_width:
        return stream
    word = FixedType(port.bus_width, port.bus_width, signed=False)
    return Stream(word, (Element.of(word),), port.beats)


def _from_bus(port: Port, source: Link, result: Link) -> Node:
    unit = Gearbox(source.stream.bits, result.stream, port.beat_width)
    return Converter(f"u_{result.name}_converter", (source,), (result,), unit)


def _to_bus(port: Port, source: Link, result: Link) -> Node:
    unit = Gearbox(port.beat_width, result.stream, result.stream.bits)
    return Converter(f"u_{result.name}_converter", (source,), (result,), unit)


def predict(joined: Interconnect, modules: Mapping[str, LayerModule]) -> tuple[int, int]:
    """Latency and initiation interval in clock cycles, inputs and outputs at full rate.

    Args:
        joined: the design.
        modules: its layers' modules by instance.

    Returns:
        Cycles from the first input transfer to the first transfer of the latest output; cycles per
        tensor.
    """
    offered: dict[str, Times] = {}
    for node in _in_order(joined.nodes):
        arrivals = [offered[link.name] for link in node.sources]
        match node:
            case Entry():
                times = np.arange(node.results[0].stream.beats * _TENSORS)
            case Layer():
                times = modules[node.instance].times(*arrivals)
            case Gate():
                times = np.max(arrivals, axis=0)
            case Glue():
                times = node.times(*arrivals)
            case _:
                continue
        offered |= {link.name: times for link in node.results}
    readers = joined.readers()
    startups = [
        _wait(readers[entry.results[0].name][0], entry, modules) for entry in joined.entries
    ]
    leaving = [offered[exit_.sources[0].name].reshape(_TENSORS, -1) for exit_ in joined.exits]
    latency = max(int(times[0, 0]) for times in leaving) - min(startups)
    interval = max(
        *(entry.results[0].stream.beats for entry in joined.entries),
        *(int(times[-1, -1] - times[-2, -1]) for times in leaving),
    )
    return latency, interval


def _in_order(nodes: Iterable[Node]) -> list[Node]:
    """Nodes in topological order."""
    listed = list(nodes)
    writers = {link.name: i for i, node in enumerate(listed) for link in node.results}
    graph = {i: [writers[link.name] for link in node.sources] for i, node in enumerate(listed)}
    return [listed[i] for i in TopologicalSorter(graph).static_order()]


def _wait(reader: Node, entry: Entry, modules: Mapping[str, LayerModule]) -> int:
    """Clock cycles until the very first beat that is offered at an entry is taken."""
    if not isinstance(reader, Layer):
        return 0
    return modules[reader.instance].startups[reader.sources.index(entry.results[0])]
