"""From kernels to modules: grouping, units, circuits, pipeline stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewright.circuit import Circuit, Word, optimize, split_products
from gatewright.emit.handshake import PortPaths, lock_step_path, paced
from gatewright.emit.layers import (
    CircuitModule,
    Cut,
    LayerModule,
    Placed,
    PlacedLoop,
    multiplier_of,
)
from gatewright.errors import InputError
from gatewright.units import CircuitUnit, Element, Loop, Stream, StreamGroup, Unit, resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Kernel, Tensor
    from gatewright.options import Handshake
    from gatewright.targets import Target
    from gatewright.units import Datapath


@dataclass(frozen=True)
class _Draft:
    """A module before its circuits are built."""

    kernels: tuple[Kernel, ...]
    joins: tuple[tuple[Unit, ...], ...]
    units: tuple[Unit, ...]
    datapath: Datapath
    out_lanes: int


def group_kernels(design: Design) -> list[tuple[Kernel, ...]]:
    """Kernels that share a module: an elementwise kernel joins its only producer.

    It stays separate if its input has other readers or leaves the design.
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


def _drafts(design: Design) -> list[_Draft]:
    lanes = {tensor.name: design.beat(tensor) for tensor in design.inputs}
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
            buffered = last.buffered or unit.buffered
            result[-1] = CircuitUnit((*last.parts, *unit.parts), buffered)
        else:
            result.append(unit)
    return tuple(result)


@dataclass(frozen=True)
class Pipeline:
    """The modules of a design.

    Attributes:
        layers: in topological order.
        handshake: how they wait: "stall", "slice" or "credit".
        ready_ns: the longest path of a ready in ns, by the target's delay model.
    """

    layers: list[LayerModule]
    handshake: Handshake
    ready_ns: float


def build_modules(
    design: Design,
    target: Target,
    clock_ns: float,
    handshake: Handshake | None = None,
    converters: Mapping[str, int] | None = None,
    *,
    register_ports: bool = False,
) -> Pipeline:
    """All modules of a design, scheduled for a target.

    Where every module is a circuit that takes a tensor per clock, time runs on across module
    boundaries: what a producer leaves of a clock period, its readers use, and the modules that
    produce the design's outputs end in a register. Otherwise every circuit ends in a register.

    Args:
        design: the model.
        target: its delay model and prices shape the hardware.
        clock_ns: clock period that pipelines are cut for.
        handshake: "stall", "slice" or "credit"; the cheapest that the clock allows if None.
        converters: flip-flops that wait together in the converter at a port, by tensor.
        register_ports: whether a FIFO stands at each port.

    Raises:
        InputError: if the design can't have that handshake.
    """
    build = _Build(design, target, clock_ns, registered=register_ports)
    modules = build.modules(free=False)
    fabric = target.fabric
    ports = PortPaths(fabric, converters or {})
    if not build.unrolled:
        layers, path, made = paced(modules, fabric, clock_ns, handshake, ports)
        return Pipeline(layers, made, path)
    if handshake == "slice":
        raise InputError(
            "handshake 'slice': every layer takes a sample per clock, so there is nothing between "
            "layers to slice; 'stall' or 'credit'"
        )
    path = lock_step_path(modules, design.outputs, fabric, ports)
    if handshake == "credit" or (handshake is None and path > clock_ns):
        return Pipeline(build.modules(free=True), "credit", ports.alone)
    return Pipeline(modules, "stall", path)


class _Build:
    """Schedules the modules of a design; their circuits are built once."""

    def __init__(
        self, design: Design, target: Target, clock_ns: float, *, registered: bool
    ) -> None:
        self.design, self.target, self.clock_ns = design, target, clock_ns
        self.registered = registered
        self.drafts = _drafts(design)
        self.unrolled = _fully_unrolled(design, self.drafts)
        self.circuits: dict[CircuitUnit, Built] = {}

    def modules(self, *, free: bool) -> list[LayerModule]:
        """The modules, in topological order.

        Args:
            free: whether they never wait; what leaves them then need not be registered.
        """
        design = self.design
        known = {tensor.name: self._offered(tensor) for tensor in design.inputs}
        stages = {tensor.name: 0 for tensor in design.inputs}
        leaving = {tensor.name for tensor in design.outputs}
        modules = []
        for draft in self.drafts:
            output = draft.kernels[-1].output.name
            last = not self.unrolled or (output in leaving and not free)
            module = self._module(draft, known, stages, last=last, free=free)
            known[output] = module.result
            stages[output] = module.start + module.units[-1].latency
            modules.append(module)
        return modules

    def _module(
        self,
        draft: _Draft,
        known: dict[str, Stream],
        stages: dict[str, int],
        *,
        last: bool,
        free: bool,
    ) -> LayerModule:
        multiplier = multiplier_of(draft.kernels[0])
        fabric = self.target.fabric
        if multiplier == "lut":
            fabric = fabric.without_blocks()
        cut = Cut(fabric, self.clock_ns, registered=last)
        placer = _Placer(self.target, cut, free, self.circuits)
        inputs = draft.kernels[0].inputs
        sources = tuple(known[tensor.name] for tensor in inputs)
        start, delays = 0, (0,) * len(inputs)
        if self.unrolled:
            start = max(stages[tensor.name] for tensor in inputs)
            delays = tuple(start - stages[tensor.name] for tensor in inputs)
            sources = tuple(
                source.late() if delay else source
                for source, delay in zip(sources, delays, strict=True)
            )
        else:
            # Between modules stand FIFOs.
            sources = tuple(
                source if tensor in self.design.inputs else self._behind_fifo(source)
                for tensor, source in zip(inputs, sources, strict=True)
            )
        joins, streams = [], []
        for source, join in zip(sources, draft.joins, strict=True):
            placed = placer.place(join, (source,))
            joins.append(placed)
            streams.append(placed[-1].result[0] if placed else source)
        return LayerModule(
            draft.kernels,
            inputs,
            sources,
            tuple(joins),
            placer.place(draft.units, tuple(streams)),
            draft.datapath.reuse,
            draft.datapath.multipliers,
            multiplier,
            (*(note for kernel in draft.kernels for note in kernel.notes()), *draft.datapath.notes),
            delays,
            start,
        )

    def _offered(self, tensor: Tensor) -> Stream:
        """A stream of a tensor that enters the design."""
        lanes = self.design.beat(tensor)
        offered = Stream(tensor.type, (Element.of(tensor.type),) * lanes, tensor.size // lanes)
        return self._behind_fifo(offered) if self.registered else offered

    def _behind_fifo(self, stream: Stream) -> Stream:
        return stream.late(self.target.fabric.fifo_arrival(stream.bits))


def _fully_unrolled(design: Design, drafts: Sequence[_Draft]) -> bool:
    """Whether every module is a circuit that takes a tensor per clock."""
    whole = all(design.beat(tensor) == tensor.size for tensor in design.inputs)
    return whole and all(
        not any(draft.joins)
        and len(draft.units) == 1
        and isinstance(draft.units[0], CircuitUnit)
        and draft.out_lanes == draft.kernels[-1].output.size
        for draft in drafts
    )


#: A circuit with its output words.
Built = tuple[Circuit, tuple[Word, ...]]


@dataclass(frozen=True)
class _Placer:
    """Makes chains of units.

    Attributes:
        target: its delay model and prices shape them.
        cut: what circuits are scheduled for.
        free: whether circuits never wait.
        circuits: those that have been built, by unit.
    """

    target: Target
    cut: Cut
    free: bool
    circuits: dict[CircuitUnit, Built]

    def place(self, units: Sequence[Unit], sources: StreamGroup) -> tuple[Placed, ...]:
        """Place a chain of units; the first takes `sources`, each with its own handshake."""
        result: list[Placed] = []
        for original in units:
            unit = original.fitted(self.target.fabric, *sources)
            if isinstance(original, CircuitUnit):
                result.append(self._circuit(original, sources, shared_handshake=bool(result)))
            elif isinstance(unit, Loop):
                result.append(self._loop(unit, sources))
            else:
                result.append(Placed(unit, sources, unit.result(*sources)))
            sources = result[-1].result
        return tuple(result)

    def _loop(self, loop: Loop, sources: StreamGroup) -> Placed:
        """Place a loop: what is computed in it ends in the register of its state."""
        state = loop.stream
        chain = self.place(loop.body, (state,))
        inside = (*(chain[-1].result if chain else (state,)), *sources, state)
        cut = replace(self.cut, registered=False, held=(1, 2))
        cell = replace(self, cut=cut)._circuit(loop.cell, inside, shared_handshake=True)
        return PlacedLoop(loop, sources, loop.result(*sources), body=(*chain, cell))

    def _circuit(
        self, function: CircuitUnit, sources: StreamGroup, *, shared_handshake: bool
    ) -> Placed:
        circuit = self._scheduled(function, sources, shared_handshake=shared_handshake)
        return Placed(function, sources, (circuit.result(),), circuit)

    def _scheduled(
        self, function: CircuitUnit, sources: StreamGroup, *, shared_handshake: bool
    ) -> CircuitModule:
        cut = replace(self.cut, buffered=function.buffered)
        if function not in self.circuits:
            self.circuits[function] = self._built(function, sources)
        circuit, outputs = self.circuits[function]
        elements = tuple(source.elements for source in sources)
        return CircuitModule(
            function.parts,
            elements,
            shared_handshake,
            sources[0].beats,
            circuit,
            cut.schedule(circuit, sources),
            outputs,
            cut,
            self.free,
        )

    def _built(self, function: CircuitUnit, sources: StreamGroup) -> Built:
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
        circuit = split_products(circuit, self.cut.fabric, self.cut.clock_ns)
        circuit = optimize(circuit, operands=self.target.fabric.sum_operands)
        return circuit, tuple(
            Word(circuit, node, frac) for node, frac in zip(circuit.outputs, fracs, strict=True)
        )
