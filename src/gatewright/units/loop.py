"""Loops: what a beat makes of a state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from gatewright.circuit.fabric import Fabric
from gatewright.tensor import Tensor
from gatewright.units.circuit_unit import CircuitUnit
from gatewright.units.unit import Element, Parameters, Stream, StreamGroup, Times, Unit


@dataclass(frozen=True, eq=False)
class Loop(Unit):
    """Steps, each of which makes the next state of a beat and the state.

    The state is zero before the first step, and after the last one of a tensor.

    Attributes:
        state: what the state holds, of shape (n,).
        bounds: least and greatest value of each of its elements, zero included.
        body: what the state passes on its way to the last circuit.
        cell: that circuit. Its inputs are what leaves `body`, the beat, and the state; the last two
            keep their values until it is done. Its output is the next state.
        steps: beats per tensor.
        every: whether the state after each step leaves, or only that after the last one.
        lanes: how many of the state's elements leave.
    """

    name: ClassVar[str] = "loop"
    module: ClassVar[str] = "gw_loop"

    state: Tensor
    bounds: tuple[tuple[int, int], ...]
    body: tuple[Unit, ...]
    cell: CircuitUnit
    steps: int
    every: bool
    lanes: int

    @property
    @override
    def cuts_ready(self) -> bool:
        return True

    @property
    def stream(self) -> Stream:
        """The state as a beat."""
        to = self.state.type
        return Stream(to, tuple(Element(low, high, to.frac) for low, high in self.bounds), 1)

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        state = self.stream
        beats = source.beats if self.every else source.beats // self.steps
        return (replace(state, elements=state.elements[: self.lanes], beats=beats),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        del sources
        return {
            "StateBits": self.stream.bits,
            "OutBits": self.lanes * self.state.type.width,
            "Steps": self.steps,
            "Every": int(self.every),
        }

    @override
    def enabled_bits(self, sources: StreamGroup, result: StreamGroup) -> int:
        """See `Unit.enabled_bits`: its reader's ready lets the first unit of the loop take."""
        del sources, result
        return self.stream.bits

    @override
    def settling(self, fabric: Fabric, *sources: Stream) -> float:
        """See `Unit.settling`: what it registers is the cell's, whose own path counts."""
        del fabric, sources
        return 0.0

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        """Not known before the cell's circuit is scheduled."""
        raise TypeError("a Loop is placed first")
