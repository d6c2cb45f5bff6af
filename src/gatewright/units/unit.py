"""The interface of units, and the streams between them with what is known of their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gatewright.circuit.fabric import Fabric
from gatewright.fixed import FixedType

#: Clock cycles, int64, one per beat.
Times = NDArray[np.int64]

Parameters = dict[str, int | str]


@dataclass(frozen=True)
class Element:
    """What is known of one lane of a stream: its range, in units of 2**-frac, and its timing."""

    lo: int
    hi: int
    frac: int
    arrival: float = 0.0  # ns into the pipeline stage at which it is stable

    @classmethod
    def of(cls, to: FixedType) -> Element:
        """Any value of a type."""
        return cls(to.min, to.max, to.frac)

    @classmethod
    def union(cls, elements: Iterable[Element]) -> Element:
        """What is known of a lane that carries any of several elements.

        A lane that is always zero says nothing of units, which may be finer than those of the bus.
        """
        found = tuple(elements)
        counted = [e for e in found if e.lo or e.hi]
        frac = max(e.frac for e in counted or found)
        zero = [0] if len(counted) < len(found) else []
        return cls(
            min([*zero, *(e.lo << (frac - e.frac) for e in counted)]),
            max([*zero, *(e.hi << (frac - e.frac) for e in counted)]),
            frac,
            max(e.arrival for e in found),
        )


@dataclass(frozen=True)
class Stream:
    """The beats that carry one tensor.

    Attributes:
        type: of an element on the bus.
        elements: per lane, what is known of the values that it carries.
        beats: per tensor.
    """

    type: FixedType
    elements: tuple[Element, ...]
    beats: int

    @property
    def lanes(self) -> int:
        """Elements per beat."""
        return len(self.elements)

    @property
    def bits(self) -> int:
        """Width of the bus."""
        return self.lanes * self.type.width

    @property
    def settled(self) -> float:
        """Time in ns after a clock edge at which the whole beat is stable, a register's aside."""
        return max((e.arrival for e in self.elements), default=0.0)

    def late(self, arrival: float = 0.0) -> Stream:
        """The same stream out of a register, or of a memory whose words settle that much later."""
        return replace(self, elements=tuple(replace(e, arrival=arrival) for e in self.elements))


#: Streams that share one handshake.
StreamGroup = tuple[Stream, ...]


@dataclass(frozen=True, eq=False)
class Unit(ABC):
    """A stream processor: an instance of a module of the library, or of a generated one.

    Its input is one bundle or, for some units, several streams with a handshake each.
    """

    #: Short name, for instances.
    name: ClassVar[str]
    #: The library module.
    module: ClassVar[str]

    def fitted(self, fabric: Fabric, *sources: Stream) -> Unit:
        """The unit with its "auto" choices decided for a fabric.

        Raises:
            UnsupportedError: if the fabric lacks what it needs.
        """
        del fabric, sources
        return self

    @abstractmethod
    def result(self, *sources: Stream) -> StreamGroup:
        """What leaves the unit."""

    @abstractmethod
    def parameters(self, *sources: Stream) -> Parameters:
        """Parameters of the module's instance."""

    def enabled_bits(self, sources: StreamGroup, result: StreamGroup) -> int:
        """Flip-flops that its reader's ready enables, or a few more.

        What a unit holds is a beat of the wider of its sides.
        """
        return max(sum(s.bits for s in sources), sum(s.bits for s in result))

    def settling(self, fabric: Fabric, *sources: Stream) -> float:
        """Time in ns from a clock edge until what its registers take is stable.

        A register's share is left out.
        """
        del fabric
        return max((source.settled for source in sources), default=0.0)

    @property
    def cuts_ready(self) -> bool:
        """Whether its input's ready does not depend on that of its reader."""
        return False

    def busy(self, *sources: Stream) -> int:
        """Clock cycles for which an input beat keeps the unit from taking the next."""
        del sources
        return 1

    def startup(self) -> int:
        """Clock cycles from when the very first beat is offered at the input until it is taken."""
        return 0

    def burst(self) -> int:
        """The most beats that it takes in a row after its reader was busy."""
        return 0

    def pause(self) -> int:
        """The most clock cycles in a row in which it takes nothing, whatever its reader does."""
        return 0

    def held_times(self, sources: StreamGroup, busy: int, room: int, *arrivals: Times) -> Times:
        """`times` with a reader that takes a beat at most every `busy` clock cycles.

        It differs if a beat that waits at the output blocks the unit.

        Args:
            sources: as of `times`.
            busy: clock cycles.
            room: beats of the FIFO between the two.
            arrivals: as of `times`.
        """
        del busy, room
        return self.times(sources, *arrivals)

    @abstractmethod
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        """Clock cycles in which beats are offered at the output, if each is taken at once.

        Args:
            sources: the streams that enter.
            arrivals: cycles in which beats are offered at the input, several tensors in a row; one
                array, or one per stream where each has a handshake.
        """


@dataclass(frozen=True, eq=False)
class Datapath:
    """How a kernel is built: a chain of units.

    Attributes:
        lanes: elements per beat that the first unit takes, per input of the kernel.
        units: in order; the first takes the kernel's inputs.
        out_lanes: elements per beat that the last unit gives.
        reuse: the reuse factor, where multipliers are shared or could be.
        multipliers: number of multipliers, where it multiplies with shared ones.
        notes: what is done differently from the requested reuse factor.
    """

    lanes: tuple[int, ...]
    units: tuple[Unit, ...]
    out_lanes: int
    reuse: int | None = None
    multipliers: int | None = None
    notes: tuple[str, ...] = ()


def paced(arrivals: Times, cycles: int) -> Times:
    """When beats are taken, if each keeps its reader busy for a number of cycles.

    s[k] = max(a[k], s[k-1] + cycles).
    """
    steady = cycles * np.arange(len(arrivals))
    return np.maximum.accumulate(arrivals - steady) + steady
