"""The operand sequencers of time-multiplexed multipliers, with their weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from gatewright.circuit.fabric import Fabric
from gatewright.fixed import FixedType
from gatewright.units.unit import Element, Parameters, Stream, StreamGroup, Times, Unit, paced


@dataclass(frozen=True, eq=False)
class Rom:
    """Constants that accompany the operands, one word per step.

    Attributes:
        columns: raw values per lane, int64 of shape (steps, lanes), with their type.
        style: "auto", "block" or "distributed"; once a `Unit` is fitted, no more "auto".
        arrival: ns after the clock edge at which a word has settled, beyond a register's.
    """

    columns: tuple[tuple[NDArray[np.int64], FixedType], ...]
    style: str = "auto"
    arrival: float = 0.0

    def fitted(self, fabric: Fabric) -> Rom:
        """The same on a fabric: with the cheaper style, if the style is "auto"."""
        style = fabric.rom_style(self.width, self.depth) if self.style == "auto" else self.style
        return replace(self, style=style, arrival=fabric.rom_arrival(style))

    @property
    def attribute(self) -> str:
        """Value of the attribute rom_style of the memory, its style not "auto".

        Yosys says "logic" for "distributed".
        """
        return "logic" if self.style == "distributed" else self.style

    @property
    def depth(self) -> int:
        """Number of words."""
        return len(self.columns[0][0])

    @property
    def width(self) -> int:
        """Bits of a word."""
        return sum(values.shape[1] * to.width for values, to in self.columns)

    def streams(self, beats: int) -> StreamGroup:
        """The stream of constants, in step with the operands."""
        return tuple(
            Stream(
                to,
                tuple(
                    Element(int(low), int(high), to.frac, self.arrival)
                    for low, high in zip(values.min(axis=0), values.max(axis=0), strict=True)
                ),
                beats,
            )
            for values, to in self.columns
        )

    def words(self) -> list[int]:
        """The words, the first column's lane 0 in the least significant bits."""
        result = []
        for step in range(self.depth):
            word, place = 0, 0
            for values, to in self.columns:
                for value in values[step].tolist():
                    word |= (value & ((1 << to.width) - 1)) << place
                    place += to.width
            result.append(word)
        return result


@dataclass(frozen=True, eq=False)
class OperandSequencer(Unit):
    """Gives a beat's elements a few at a time, repeatedly, with the constants of each step.

    Attributes:
        take: elements per step.
        rounds: how often a beat's elements pass.
        rom: a word per step; as many words as a vector has steps.
    """

    name: ClassVar[str] = "feed"
    module: ClassVar[str] = "gw_feed"

    take: int
    rounds: int
    rom: Rom

    @override
    def fitted(self, fabric: Fabric, *sources: Stream) -> OperandSequencer:
        return replace(self, rom=self.rom.fitted(fabric))

    def busy(self, *sources: Stream) -> int:
        """See `Unit.busy`: the steps of a beat."""
        return sources[0].lanes // self.take * self.rounds

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        beats = source.beats * self.busy(source)
        elements = tuple(
            Element.union(source.elements[lane :: self.take]) for lane in range(self.take)
        )
        operands = Stream(source.type, elements, beats).late()
        return (operands, *self.rom.streams(beats))

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return {
            "Width": source.type.width,
            "Lanes": source.lanes,
            "Take": self.take,
            "Rounds": self.rounds,
            "Steps": self.rom.depth,
        }

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        steps = self.busy(*sources)
        taken = paced(arrivals[0], steps)
        return (taken[:, None] + np.arange(1, steps + 1)).ravel()


@dataclass(frozen=True, eq=False)
class BeatSequencer(Unit):
    """Gives each beat repeatedly, each time with its constants.

    Attributes:
        rounds: how often each beat passes, at least once; the list repeats after its end.
        constants: a word per step of these beats.
    """

    name: ClassVar[str] = "repeat"
    module: ClassVar[str] = "gw_repeat"

    rounds: tuple[int, ...]
    constants: Rom

    @property
    def rom(self) -> Rom:
        """The constants, and in the highest bit whether the step is its beat's last."""
        last = np.zeros((sum(self.rounds), 1), np.int64)
        last[np.cumsum(self.rounds) - 1] = 1
        flag = FixedType(1, 1, signed=False)
        return replace(self.constants, columns=(*self.constants.columns, (last, flag)))

    @override
    def fitted(self, fabric: Fabric, *sources: Stream) -> BeatSequencer:
        whole = self.rom.fitted(fabric)
        constants = replace(self.constants, style=whole.style, arrival=whole.arrival)
        return replace(self, constants=constants)

    def busy(self, *sources: Stream) -> int:
        """See `Unit.busy`: the steps of the beat with the most."""
        del sources
        return max(self.rounds)

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        beats = source.beats // len(self.rounds) * sum(self.rounds)
        return (replace(source, beats=beats).late(), *self.constants.streams(beats))

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        return {"Bits": sources[0].bits, "Steps": sum(self.rounds)}

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        (arrival,) = arrivals
        rounds = np.resize(self.rounds, len(arrival))
        steady = np.cumsum(rounds) - rounds
        waits = np.maximum.accumulate(arrival - steady)
        return waits.repeat(rounds) + np.arange(1, rounds.sum() + 1)
