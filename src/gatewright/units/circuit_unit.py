"""Functions of a beat: unrolled circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from gatewright.circuit import Circuit, Word
from gatewright.targets import Target
from gatewright.tensor import Tensor
from gatewright.units.unit import Parameters, Stream, StreamGroup, Times, Unit


class CircuitPart(Protocol):
    """A function that can be added to a circuit; kernels are such."""

    @property
    def layer(self) -> str:
        """Name of the layer that it belongs to."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What one beat carries, per stream."""

    @property
    def output(self) -> Tensor:
        """What one beat of the result carries."""

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""


@dataclass(frozen=True, eq=False)
class CircuitUnit(Unit):
    """A circuit that turns one beat, or one of each of several streams, into one beat.

    Its module is generated; its timing is known once the circuit is scheduled, so a `CircuitUnit`
    itself knows neither its output stream nor its times.

    Attributes:
        parts: functions, each of the result of the one before.
        buffered: whether it ends in a register even if it does nothing but name bits: then what
            comes before it need not hold a beat that waits.
    """

    name: ClassVar[str] = "function"
    module: ClassVar[str] = ""

    parts: tuple[CircuitPart, ...]
    buffered: bool = False

    def result(self, *sources: Stream) -> StreamGroup:
        """Not known before the circuit is built."""
        raise TypeError("a CircuitUnit is compiled first")

    def parameters(self, *sources: Stream) -> Parameters:
        """A generated module has none."""
        del sources
        return {}

    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        """Not known before the circuit is scheduled."""
        raise TypeError("a CircuitUnit is compiled first")


@dataclass(frozen=True)
class Permute:
    """The elements of a beat in another order: wires.

    Attributes:
        layer: the layer that it belongs to.
        source: what a beat carries.
        order: index of the element that becomes each of the result's.
    """

    layer: str
    source: Tensor
    order: tuple[int, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What one beat of each input carries."""
        return (self.source,)

    @property
    def output(self) -> Tensor:
        """What one beat of the result carries."""
        return Tensor(self.source.name, (len(self.order),), self.source.type)

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        del circuit, target
        return [inputs[0][i] for i in self.order]
