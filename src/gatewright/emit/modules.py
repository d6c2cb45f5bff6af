"""From kernels to modules: grouping, units, circuits, pipeline stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewright.circuit import Circuit, Schedule, Word, optimize, schedule
from gatewright.units import CircuitUnit, Element, Stream, StreamGroup, Unit, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Kernel, Tensor
    from gatewright.targets import Target
    from gatewright.units import CircuitPart, Datapath
    from gatewright.units.unit import Times


@dataclass(frozen=True)
class CircuitModule:
    """A `CircuitUnit`, its circuit built and scheduled.

    Attributes:
        parts: functions, each of the result of the one before.
        elements: per input, what is known of its elements.
        shared_handshake: whether all inputs share the handshake of the first.
        beats: per tensor.
        circuit: the function; its outputs are nodes whose words `outputs` gives.
        outputs: the circuit's output words.
    """

    parts: tuple[CircuitPart, ...]
    elements: tuple[tuple[Element, ...], ...]
    shared_handshake: bool
    beats: int
    circuit: Circuit
    schedule: Schedule
    outputs: tuple[Word, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a beat carries, per input."""
        return self.parts[0].inputs

    @property
    def output(self) -> Tensor:
        """What a beat of the result carries."""
        return self.parts[-1].output

    def result(self) -> Stream:
        """What leaves the module."""
        elements = tuple(
            Element(word.lo, word.hi, word.frac, arrival)
            for word, arrival in zip(self.outputs, self.schedule.arrival, strict=True)
        )
        return Stream(self.output.type, elements, self.beats)


@dataclass(frozen=True)
class Placed:
    """A unit in its place.

    Attributes:
        unit: the unit.
        sources: what enters it.
        result: what leaves it.
        circuit: of a `CircuitUnit`.
    """

    unit: Unit
    sources: StreamGroup
    result: StreamGroup
    circuit: CircuitModule | None = None

    @property
    def latency(self) -> int:
        """Register stages of a `CircuitUnit`."""
        return self.circuit.schedule.latency if self.circuit else 0

    def times(self, busy: int, *arrivals: Times) -> Times:
        """When beats are offered, as `Unit.times` has it."""
        if self.circuit is None:
            return self.unit.held_times(self.sources, busy, *arrivals)
        taken = np.maximum.accumulate(
            np.max(arrivals, axis=0) - np.arange(len(arrivals[0]))
        ) + np.arange(len(arrivals[0]))
        return taken + self.latency


@dataclass(frozen=True)
class LayerModule:
    """One module: a kernel and the elementwise kernels that follow it.

    Attributes:
        kernels: in order; the first reads `inputs`, each other one reads the one before.
        inputs: tensors at the ports.
        sources: what the streams at the input ports carry.
        joins: per input, the units that it passes before the first of `units`.
        units: a chain; the first takes all inputs.
        reuse: the reuse factor, where multipliers are shared or could be.
        multipliers: number of shared multipliers.
        notes: requests not honoured, and what is done instead.
        delays: per input, register stages to pass before it is level with the latest input, in a
            design whose every module takes a tensor per clock.
        start: pipeline stage of such a design in which the inputs arrive.
    """

    kernels: tuple[Kernel, ...]
    inputs: tuple[Tensor, ...]
    sources: StreamGroup
    joins: tuple[tuple[Placed, ...], ...]
    units: tuple[Placed, ...]
    reuse: int | None
    multipliers: int | None
    notes: tuple[str, ...]
    delays: tuple[int, ...]
    start: int

    @property
    def output(self) -> Tensor:
        """The tensor that leaves the module."""
        return self.kernels[-1].output

    @property
    def result(self) -> Stream:
        """What leaves the module."""
        return self.units[-1].result[0]

    @property
    def circuit(self) -> CircuitModule | None:
        """The circuit that the module is, if it is nothing else."""
        alone = len(self.units) == 1 and not any(self.joins)
        return self.units[0].circuit if alone else None

    @property
    def clocked(self) -> bool:
        """Whether it has a clock."""
        return self.circuit is None or self.circuit.schedule.latency > 0

    @property
    def in_lock_step(self) -> bool:
        """Whether it is a circuit that takes a tensor per clock."""
        streams = (*self.sources, self.result)
        return self.circuit is not None and all(stream.beats == 1 for stream in streams)

    @property
    def path(self) -> float:
        """Longest path between registers in ns, by the target's delay model."""
        circuits = [placed.circuit for placed in self.units if placed.circuit]
        return max((circuit.schedule.path for circuit in circuits), default=0.0)

    def times(self, *arrivals: Times) -> Times:
        """Cycles in which beats of several tensors in a row are offered at the output.

        Args:
            arrivals: per input, the cycles in which its beats are offered.
        """
        streams = list(arrivals)
        for port, join in enumerate(self.joins):
            for placed in join:
                streams[port] = placed.times(1, streams[port])
        for number, placed in enumerate(self.units):
            # Wires hold nothing: what reads them reads what is before them.
            behind = (p for p in self.units[number + 1 :] if p.circuit is None or p.latency)
            reader = next(behind, None)
            busy = 1 if reader is None else reader.unit.busy(*reader.sources)
            streams = [placed.times(busy, *streams)]
        return streams[0]

    @property
    def startups(self) -> tuple[int, ...]:
        """Per input, clock cycles until the very first beat offered is taken."""
        return tuple((*join, self.units[0])[0].unit.startup() for join in self.joins)

    @property
    def bursts(self) -> tuple[int, ...]:
        """Per input, beats taken in a row, at most, by a module that mostly makes them wait.

        So many must be there when they are wanted, or their producer, which has a pace of its
        own, holds the module up.
        """
        if self.reuse is None or self.reuse == 1:
            return (0,) * len(self.inputs)
        return tuple(
            max(
                placed.unit.burst() * placed.sources[0].lanes // source.lanes
                for placed in (*join, *self.units)
            )
            for source, join in zip(self.sources, self.joins, strict=True)
        )

    def measure(self, tensors: int = 4) -> tuple[int, int]:
        """Latency from the first beat offered to the first that leaves, and initiation interval."""
        arrivals = [np.arange(tensors * source.beats) for source in self.sources]
        out = self.times(*arrivals).reshape(tensors, -1)
        return int(out[0, 0]), max(
            int(out[-1, -1] - out[-2, -1]), *(source.beats for source in self.sources)
        )


@dataclass(frozen=True)
class _Draft:
    """A module before its circuits are built."""

    kernels: tuple[Kernel, ...]
    joins: tuple[tuple[Unit, ...], ...]
    units: tuple[Unit, ...]
    datapath: Datapath
    out_lanes: int


def group_kernels(design: Design) -> list[tuple[Kernel, ...]]:
    """Kernels that share a module: an elementwise kernel joins the only producer it has.

    It stays apart where its input has other readers or leaves the design.
    """
    groups: list[list[Kernel]] = []
    last: dict[str, list[Kernel]] = {}  # by output tensor of a group's last kernel
    leaving = {tensor.name for tensor in design.outputs}
    for kernel in design.kernels:
        source = kernel.inputs[0]
        group = last.get(source.name)
        if (
            kernel.elementwise
            and group is not None
            and len(design.readers(source)) == 1
            and source.name not in leaving
        ):
            del last[source.name]
            group.append(kernel)
        else:
            group = [kernel]
            groups.append(group)
        last[kernel.output.name] = group
    return [tuple(group) for group in groups]


def port_lanes(tensor: Tensor, io: str) -> int:
    """Elements per beat of a tensor at the ports: all of them, or a pixel."""
    return tensor.shape[-1] if io == "stream" else tensor.size


def _drafts(design: Design) -> list[_Draft]:
    lanes = {tensor.name: port_lanes(tensor, design.io) for tensor in design.inputs}
    drafts = []
    for group in group_kernels(design):
        offered = tuple(lanes[tensor.name] for tensor in group[0].inputs)
        datapath = group[0].datapath(offered)
        joins = tuple(
            resized(have, want) for have, want in zip(offered, datapath.lanes, strict=True)
        )
        units, width = list(datapath.units), datapath.out_lanes
        for kernel in group[1:]:
            more = kernel.datapath((width,))
            units += [*resized(width, more.lanes[0]), *more.units]
            width = more.out_lanes
        draft = _Draft(group, joins, _merged(units), datapath, width)
        lanes[group[-1].output.name] = width
        drafts.append(draft)
    return drafts


def _merged(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Functions of functions are one: a cast folds into the sums before it."""
    result: list[Unit] = []
    for unit in units:
        last = result[-1] if result else None
        if isinstance(unit, CircuitUnit) and isinstance(last, CircuitUnit):
            result[-1] = CircuitUnit((*last.parts, *unit.parts))
        else:
            result.append(unit)
    return tuple(result)


def build_modules(design: Design, target: Target, clock_ns: float) -> list[LayerModule]:
    """All modules of a design, scheduled for a target, in topological order.

    Where every module is a circuit that takes a tensor per clock, time runs on across module
    boundaries: what a producer leaves of a clock period, its readers use, and the modules that
    produce the design's outputs end in a register. Otherwise every circuit ends in a register.
    """
    drafts = _drafts(design)
    unrolled = _fully_unrolled(design, drafts)
    known = {
        tensor.name: Stream(
            tensor.type,
            (Element.of(tensor.type),) * port_lanes(tensor, design.io),
            tensor.size // port_lanes(tensor, design.io),
        )
        for tensor in design.inputs
    }
    stages = {tensor.name: 0 for tensor in design.inputs}
    leaving = {tensor.name for tensor in design.outputs}
    modules = []
    for draft in drafts:
        inputs = draft.kernels[0].inputs
        output = draft.kernels[-1].output.name
        start = max(stages[tensor.name] for tensor in inputs)
        delays = tuple(start - stages[tensor.name] for tensor in inputs)
        sources = tuple(known[tensor.name] for tensor in inputs)
        if unrolled:
            sources = tuple(
                source.late() if delay else source
                for source, delay in zip(sources, delays, strict=True)
            )
        else:
            start, delays = 0, (0,) * len(inputs)
            sources = tuple(source.late() for source in sources)
        placer = _Placer(target, clock_ns, registered=not unrolled or output in leaving)
        joins, streams = [], []
        for source, join in zip(sources, draft.joins, strict=True):
            placed = placer.place(join, (source,))
            joins.append(placed)
            streams.append(placed[-1].result[0] if placed else source)
        module = LayerModule(
            draft.kernels,
            inputs,
            sources,
            tuple(joins),
            placer.place(draft.units, tuple(streams)),
            draft.datapath.reuse,
            draft.datapath.multipliers,
            (*(note for kernel in draft.kernels for note in kernel.notes()), *draft.datapath.notes),
            delays,
            start,
        )
        known[output] = module.result
        stages[output] = start + module.units[-1].latency
        modules.append(module)
    return modules


def _fully_unrolled(design: Design, drafts: Sequence[_Draft]) -> bool:
    """Whether every module is a circuit that takes a tensor per clock."""
    whole = all(port_lanes(tensor, design.io) == tensor.size for tensor in design.inputs)
    return whole and all(
        not any(draft.joins)
        and len(draft.units) == 1
        and isinstance(draft.units[0], CircuitUnit)
        and draft.out_lanes == draft.kernels[-1].output.size
        for draft in drafts
    )


@dataclass(frozen=True)
class _Placer:
    """Makes chains of units."""

    target: Target
    clock_ns: float
    registered: bool

    def place(self, units: Sequence[Unit], sources: StreamGroup) -> tuple[Placed, ...]:
        """Place units of which the first takes `sources`, each with a handshake."""
        result: list[Placed] = []
        for unit in (unit.fitted(self.target.fabric) for unit in units):
            circuit = None
            if isinstance(unit, CircuitUnit):
                circuit = self._compile(unit, sources, shared_handshake=bool(result))
                bundle: StreamGroup = (circuit.result(),)
            else:
                bundle = unit.result(*sources)
            result.append(Placed(unit, sources, bundle, circuit))
            sources = bundle
        return tuple(result)

    def _compile(
        self, function: CircuitUnit, sources: StreamGroup, *, shared_handshake: bool
    ) -> CircuitModule:
        circuit = Circuit()
        words = [
            [
                circuit.input(port, i, element.lo, element.hi, element.frac)
                for i, element in enumerate(source.elements)
            ]
            for port, source in enumerate(sources)
        ]
        for body in function.parts:
            circuit.section = body.layer
            words = [body.build(circuit, self.target, *words)]
        fracs = [word.frac for word in words[0]]
        circuit.outputs = [word.node for word in words[0]]
        circuit = optimize(circuit, operands=self.target.fabric.sum_operands)
        plan = schedule(
            circuit,
            self.target.fabric,
            self.clock_ns,
            [[element.arrival for element in source.elements] for source in sources],
            registered=self.registered,
        )
        outputs = tuple(
            Word(circuit, node, frac) for node, frac in zip(circuit.outputs, fracs, strict=True)
        )
        elements = tuple(source.elements for source in sources)
        return CircuitModule(
            function.parts, elements, shared_handshake, sources[0].beats, circuit, plan, outputs
        )
