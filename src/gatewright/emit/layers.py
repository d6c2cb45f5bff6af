"""What a layer's module is made of: units in their places, circuits scheduled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.circuit import Circuit, Schedule, Word, schedule
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.units import Element, Fifo, Loop, Stream, StreamGroup, Unit
from gatewright.units.unit import paced

if TYPE_CHECKING:
    from gatewright.circuit.fabric import Fabric
    from gatewright.kernels import Kernel, Tensor
    from gatewright.units import CircuitPart
    from gatewright.units.unit import Times


def multiplier_of(kernel: Kernel) -> str:
    """What the multipliers of a layer are asked to be made of: "auto", "dsp" or "lut"."""
    return kernel.multiplier if isinstance(kernel, Multiplexed) else "auto"


@dataclass(frozen=True)
class Cut:
    """What a circuit's pipeline stages are made for.

    Attributes:
        fabric: its delay model.
        clock_ns: clock period.
        registered: whether the circuit ends in a register.
        buffered: whether it does even where it only names bits.
        held: ports whose inputs keep their values until the outputs are taken.
    """

    fabric: Fabric
    clock_ns: float
    registered: bool
    buffered: bool = False
    held: tuple[int, ...] = ()

    def schedule(self, circuit: Circuit, sources: StreamGroup) -> Schedule:
        """The stages of a circuit of these inputs."""
        arrival = [[element.arrival for element in source.elements] for source in sources]
        return schedule(
            circuit,
            self.fabric,
            self.clock_ns,
            arrival,
            registered=self.registered,
            buffered=self.buffered,
            held=self.held,
        )


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
        cut: what it was scheduled for.
        free: whether it has no handshake: it never waits.
    """

    parts: tuple[CircuitPart, ...]
    elements: tuple[tuple[Element, ...], ...]
    shared_handshake: bool
    beats: int
    circuit: Circuit
    schedule: Schedule
    outputs: tuple[Word, ...]
    cut: Cut
    free: bool = False

    def behind(self, sources: StreamGroup) -> CircuitModule:
        """The same circuit, scheduled for inputs that arrive at other times."""
        return replace(self, schedule=self.cut.schedule(self.circuit, sources))

    @property
    def enabled_bits(self) -> int:
        """Flip-flops that wait together where the module does."""
        return self.schedule.register_bits(self.circuit) + self.schedule.latency

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
        gated: whether the circuit never waits, between a gate and a FIFO of its own.
    """

    unit: Unit
    sources: StreamGroup
    result: StreamGroup
    circuit: CircuitModule | None = None
    gated: bool = False

    @property
    def latency(self) -> int:
        """Clock cycles through a `CircuitUnit`, and the FIFO that it may have."""
        return self.circuit.schedule.latency + self.gated if self.circuit else 0

    @property
    def holds(self) -> bool:
        """Whether it has registers that wait for its reader."""
        return self.circuit is None or self.latency > 0

    @property
    def busy(self) -> int:
        """Clock cycles for which a beat keeps it from taking the next."""
        return self.unit.busy(*self.sources)

    @property
    def enabled_bits(self) -> int:
        """Flip-flops that wait together for its reader."""
        if self.circuit is not None:
            return self.circuit.enabled_bits
        return self.unit.enabled_bits(self.sources, self.result)

    @property
    def handshakes(self) -> int:
        """Input streams that each have a handshake."""
        shared = self.circuit is not None and self.circuit.shared_handshake
        return 1 if shared else len(self.sources)

    def free_running(self, fabric: Fabric) -> Placed:
        """The same circuit behind a gate."""
        assert self.circuit is not None
        (result,) = self.result
        return replace(
            self,
            result=(result.late(fabric.fifo_arrival(result.bits)),),
            circuit=replace(self.circuit, free=True),
            gated=True,
        )

    def behind(self, sources: StreamGroup) -> Placed:
        """The same unit with inputs that arrive at other times."""
        if self.circuit is None:
            return replace(self, sources=sources)
        circuit = self.circuit.behind(sources)
        return replace(self, sources=sources, circuit=circuit, result=(circuit.result(),))

    def path(self, fabric: Fabric) -> float:
        """Longest path between its registers in ns."""
        if self.circuit is not None:
            return self.circuit.schedule.path
        return fabric.register_ns + self.unit.settling(fabric, *self.sources)

    def times(self, busy: int, room: int, *arrivals: Times) -> Times:
        """When beats are offered, as `Unit.held_times` has it."""
        if self.circuit is None:
            return self.unit.held_times(self.sources, busy, room, *arrivals)
        taken = np.maximum.accumulate(
            np.max(arrivals, axis=0) - np.arange(len(arrivals[0]))
        ) + np.arange(len(arrivals[0]))
        return taken + self.latency


@dataclass(frozen=True)
class PlacedLoop(Placed):
    """A loop in its place.

    Attributes:
        body: what the state passes; the last one's result is the next state.
    """

    body: tuple[Placed, ...] = ()

    @property
    def loop(self) -> Loop:
        """The unit."""
        assert isinstance(self.unit, Loop)
        return self.unit

    @property
    @override
    def busy(self) -> int:
        """See `Placed.busy`: from one step to the next."""
        times = np.zeros(1, np.int64)
        for placed in self.body:
            times = placed.times(1, 0, times)
        return int(times[-1]) + 1

    @override
    def behind(self, sources: StreamGroup) -> Placed:
        *chain, cell = self.body
        result, _, state = cell.sources
        body = (*chain, cell.behind((result, *sources, state)))
        return replace(self, sources=sources, body=body)

    @override
    def path(self, fabric: Fabric) -> float:
        return max(placed.path(fabric) for placed in self.body)

    @override
    def times(self, busy: int, room: int, *arrivals: Times) -> Times:
        del busy, room
        steps = 1 if self.loop.every else self.loop.steps
        turn = self.busy
        return paced(arrivals[0], turn)[steps - 1 :: steps] + turn


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
        multiplier: what products are made of: "auto" is the choice of the synthesis tool, "dsp" a
            multiplier block, "lut" logic.
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
    multiplier: str
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
        alone = len(self.units) == 1 and not any(self.joins) and not self.units[0].gated
        return self.units[0].circuit if alone else None

    @property
    def clocked(self) -> bool:
        """Whether it has a clock."""
        return self.circuit is None or self.circuit.schedule.latency > 0

    @property
    def free(self) -> bool:
        """Whether it has no handshake."""
        return self.circuit is not None and self.circuit.free

    @property
    def in_lock_step(self) -> bool:
        """Whether it is a circuit that takes a tensor per clock."""
        streams = (*self.sources, self.result)
        return self.circuit is not None and all(stream.beats == 1 for stream in streams)

    def path(self, fabric: Fabric) -> float:
        """Longest path between registers in ns, by the target's delay model."""
        units = [placed for chain in self.chains for placed in chain]
        return max((placed.path(fabric) for placed in units), default=0.0)

    @property
    def chains(self) -> tuple[tuple[Placed, ...], ...]:
        """All chains of units: before the inputs, of the layer itself, within its loops."""
        bodies = (placed.body for placed in self.units if isinstance(placed, PlacedLoop))
        return (*self.joins, self.units, *bodies)

    def times(self, *arrivals: Times) -> Times:
        """Cycles in which beats of several tensors in a row are offered at the output.

        Args:
            arrivals: per input, the cycles in which its beats are offered.
        """
        streams = list(arrivals)
        for port, join in enumerate(self.joins):
            for placed in join:
                streams[port] = placed.times(1, 0, streams[port])
        for number, placed in enumerate(self.units):
            busy, room = self._reader(number)
            streams = [placed.times(busy, room, *streams)]
        return streams[0]

    def _reader(self, number: int) -> tuple[int, int]:
        """Of the unit that reads one of `units`: clock cycles per beat, and beats of a FIFO before.

        Wires hold nothing: what reads them reads what is before them.
        """
        room = 0
        for placed in self.units[number + 1 :]:
            if isinstance(placed.unit, Fifo):
                room += placed.unit.depth
            elif placed.holds:
                return placed.busy, room
        return 1, room

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

    @property
    def pauses(self) -> tuple[int, ...]:
        """Per input, clock cycles in a row in which nothing is taken, at most, at full rate."""
        inside = sum(placed.unit.pause() for placed in self.units)
        return tuple(sum((placed.unit.pause() for placed in join), inside) for join in self.joins)

    def measure(self, tensors: int = 4) -> tuple[int, int]:
        """Latency from the first beat offered to the first that leaves, and initiation interval."""
        arrivals = [np.arange(tensors * source.beats) for source in self.sources]
        out = self.times(*arrivals).reshape(tensors, -1)
        return int(out[0, 0]), max(
            int(out[-1, -1] - out[-2, -1]), *(source.beats for source in self.sources)
        )
