"""How modules wait for each other: how long the paths of ready are, and what cuts them.

A ready runs against the data, from a register behind a chain of units to the enables of the
registers in them: each unit that holds something adds a gate and the net to all that it enables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from gatewright.circuit import Op
from gatewright.emit.layers import Placed
from gatewright.units import Accumulate, Fifo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gatewright.circuit.fabric import Fabric
    from gatewright.emit.layers import LayerModule
    from gatewright.options import Handshake
    from gatewright.tensor import Tensor

#: Beats of the FIFO that cuts a ready: as few as keep up one beat a clock.
_SLICE = 2

#: What a bit of an accumulator takes outside its DSP block, in bits of a slice: convolutions of
#: the zoo took 0.65 LUTs for a bit of a slice, and about 2 for a bit of the accumulator.
_UNPACKED = 3


@dataclass(frozen=True)
class PortPaths:
    """What the converters at ports add to paths of ready.

    Attributes:
        fabric: its delay model.
        converters: flip-flops that wait together in a converter, by tensor.
    """

    fabric: Fabric
    converters: Mapping[str, int]

    def start(self, tensor: str) -> float:
        """Time after a clock edge at which the ready of a tensor that leaves is stable, in ns."""
        return self.end(tensor, self.fabric.register_ns)

    def end(self, tensor: str, at: float) -> float:
        """When the ready at the port of a tensor is stable, if that behind it is at `at`, in ns."""
        if tensor not in self.converters:
            return at
        return at + self.fabric.enable_delay(self.converters[tensor])

    def longest(self, arrival: Mapping[str, float], modules: Iterable[LayerModule]) -> float:
        """The longest path to the ready of an input, in ns, by the arrival behind its port."""
        made = {module.output.name for module in modules}
        ends = [self.end(tensor, at) for tensor, at in arrival.items() if tensor not in made]
        return max(ends, default=0.0)

    @property
    def alone(self) -> float:
        """The longest path of a ready that runs through nothing but a converter, in ns."""
        start = self.fabric.register_ns
        return max((self.start(tensor) for tensor in self.converters), default=start)


def lock_step_path(
    modules: Sequence[LayerModule],
    outputs: Iterable[Tensor],
    fabric: Fabric,
    ports: PortPaths | None = None,
) -> float:
    """The longest path of a ready in ns where no module has a pace of its own.

    An output's ready runs through all modules before it.

    Args:
        modules: in topological order, each a circuit that takes a tensor per clock.
        outputs: tensors that leave the design.
        fabric: its delay model.
        ports: the converters at ports, if any.
    """
    ports = ports or PortPaths(fabric, {})
    arrival = {tensor.name: ports.start(tensor.name) for tensor in outputs}
    longest = ports.alone
    for module in reversed(modules):
        at = arrival.get(module.output.name, fabric.register_ns)
        (placed,) = module.units
        if placed.holds:
            at += fabric.enable_delay(placed.enabled_bits)
        for tensor, source, delay in zip(module.inputs, module.sources, module.delays, strict=True):
            entering = at
            if delay:
                entering += fabric.enable_delay(delay * (source.bits + 1))
            arrival[tensor.name] = max(arrival.get(tensor.name, 0.0), entering)
            longest = max(longest, entering)
    return max(longest, ports.longest(arrival, modules))


def paced(
    modules: Sequence[LayerModule],
    fabric: Fabric,
    clock_ns: float,
    handshake: Handshake | None,
    ports: PortPaths,
) -> tuple[list[LayerModule], float, Handshake]:
    """Modules that each have a pace of their own, with what cuts their readies.

    Args:
        modules: in topological order.
        fabric: its delay model.
        clock_ns: what a path may take.
        handshake: "stall" cuts nothing, "credit" has no circuit wait; None and "slice" cut where
            the clock asks for it.
        ports: the converters at ports.

    Returns:
        The modules, the longest path of a ready in ns, and the handshake that they have.
    """
    cutter = _Cutter(fabric, clock_ns, handshake)
    made = {module.output.name for module in modules}
    arrival = {name: ports.start(name) for name in ports.converters if name in made}
    cut = []
    for module in reversed(modules):
        at = arrival.get(module.output.name, fabric.register_ns)
        units, at = cutter.chain(module.units, at)
        joins = []
        for tensor, source, join in zip(module.inputs, module.sources, module.joins, strict=True):
            chain, entering = cutter.chain(join, at)
            joins.append(chain)
            # Between modules stand FIFOs, which cut the path; those of whole tensors may be wires.
            entering = entering if source.beats == 1 else fabric.register_ns
            arrival[tensor.name] = max(arrival.get(tensor.name, 0.0), entering)
        cut.append(replace(module, units=units, joins=tuple(joins)))
    longest = max(cutter.longest, ports.alone, ports.longest(arrival, modules))
    return cut[::-1], longest, handshake or ("slice" if cutter.cuts else "stall")


class _Cutter:
    def __init__(self, fabric: Fabric, clock_ns: float, handshake: Handshake | None) -> None:
        self.fabric, self.clock_ns, self.handshake = fabric, clock_ns, handshake
        self.longest = fabric.register_ns
        self.cuts = 0

    def chain(self, units: Sequence[Placed], at: float) -> tuple[tuple[Placed, ...], float]:
        """A chain of units with what cuts it.

        Args:
            units: in order.
            at: ns after a clock edge at which the ready of their reader is stable.

        Returns:
            The chain, and when the ready of its first input is.
        """
        gated = [self._gated(units[: index + 1]) for index in range(len(units))]
        cuts = self._cheapest(units, gated, at)
        found: list[Placed] = []
        for index, unit in enumerate(units):
            parted = index > 0 and (gated[index - 1] or index - 1 in cuts)
            placed = unit.behind(found[-1].result) if parted else unit
            found.append(placed.free_running(self.fabric) if gated[index] else placed)
            if index in cuts:
                (result,) = placed.result
                late = (result.late(self.fabric.fifo_arrival(result.bits)),)
                found.append(Placed(Fifo(_SLICE), placed.result, late))
        self.cuts += sum(gated) + len(cuts)
        longest, at = self._path(units, gated, cuts, at)
        self.longest = max(self.longest, longest)
        return tuple(found), at

    def _cheapest(
        self, units: Sequence[Placed], gated: Sequence[bool], at: float
    ) -> frozenset[int]:
        """The units behind which slices stand: the fewest bits that meet the clock.

        If no slices meet it, those of the shortest path.
        """
        spots = [
            index
            for index, placed in enumerate(units)
            if placed.holds and not gated[index] and self._sliceable(placed)
        ]
        ways = (
            frozenset(way) for count in range(len(spots) + 1) for way in combinations(spots, count)
        )
        return min(
            ways,
            key=lambda cuts: (
                max(self._path(units, gated, cuts, at)[0], self.clock_ns),
                sum(self._price(units, index) for index in cuts),
                sorted(cuts),
            ),
        )

    def _price(self, units: Sequence[Placed], index: int) -> float:
        """Bits that a slice behind a unit holds, and what sums take that it keeps out of blocks."""
        placed, *behind = units[index : index + 2]
        unpacked = (self._packed(placed, after) * after.result[0].bits for after in behind)
        return placed.result[0].bits + _UNPACKED * sum(unpacked)

    def _path(
        self, units: Sequence[Placed], gated: Sequence[bool], cuts: frozenset[int], at: float
    ) -> tuple[float, float]:
        """The longest path of a ready in a chain, and when that of its first input is stable."""
        start = longest = self.fabric.register_ns
        for index, placed in reversed(list(enumerate(units))):
            if gated[index]:
                # Of one input the gate's ready is a register; of several it waits for the others.
                at = start if placed.handshakes == 1 else start + self.fabric.enable_delay(1)
            elif placed.holds:
                at = start if index in cuts else at
                at += self.fabric.enable_delay(placed.enabled_bits)
            longest = max(longest, at)
            at = start if placed.unit.cuts_ready else at
        return longest, at

    def _gated(self, units: Sequence[Placed]) -> bool:
        """Whether the last unit is a circuit that never waits: too late even behind a slice."""
        placed = units[-1]
        if placed.circuit is None or not placed.holds or self.handshake == "stall":
            return False
        alone = self.fabric.register_ns + self._share(units)
        return self.handshake == "credit" or alone > self.clock_ns

    def _share(self, units: Sequence[Placed]) -> float:
        """What the last unit adds to the path, in ns, with all before it that no slice parts."""
        share = self.fabric.enable_delay(units[-1].enabled_bits)
        for placed in units[-2::-1]:
            if self._sliceable(placed):
                break
            if placed.holds:
                share += self.fabric.enable_delay(placed.enabled_bits)
        return share

    def _packed(self, placed: Placed, after: Placed) -> float:
        """The share of accumulators that share DSP blocks with their products, if not parted.

        A sum of products is made of logic, and so is the accumulator behind it.
        """
        if placed.circuit is None or not isinstance(after.unit, Accumulate):
            return 0.0
        circuit = placed.circuit.circuit
        products = sum(circuit.nodes[output].op is Op.MUL for output in circuit.outputs)
        packs = placed.circuit.cut.fabric.packs_accumulators
        return products / len(circuit.outputs) if packs else 0.0

    def _sliceable(self, placed: Placed) -> bool:
        """Whether a FIFO can stand behind a unit: constants would not keep step with it."""
        return self.handshake != "stall" and len(placed.result) == 1
