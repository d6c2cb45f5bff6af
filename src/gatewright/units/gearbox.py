"""Width conversion at a bus: the bits of a tensor, cut into beats of another width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from gatewright.units.unit import Parameters, Stream, StreamGroup, Times, Unit, paced


@dataclass(frozen=True, eq=False)
class Gearbox(Unit):
    """Beats of another width, whatever the ratio; each tensor starts with a beat of its own.

    Attributes:
        width: bits of a beat that enters, with the padding to whole bytes.
        leaving: what leaves.
        out_width: bits of a beat that leaves, with the padding to whole bytes.
    """

    name: ClassVar[str] = "gearbox"
    module: ClassVar[str] = "gw_gearbox"

    width: int
    leaving: Stream
    out_width: int

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        return (self.leaving,)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return {
            "InWidth": self.width,
            "InBeats": source.beats,
            "OutWidth": self.out_width,
            "OutBeats": self.leaving.beats,
        }

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        (source,), (arrival,) = sources, arrivals
        enter, leave = source.beats, self.leaving.beats
        if enter == leave == 1 or self.width == self.out_width:
            return arrival
        if leave == 1 or self.out_width % self.width == 0:
            return self._gathered(arrival, enter, leave)
        if enter == 1 or self.width % self.out_width == 0:
            return self._serialized(arrival, enter, leave)
        return self._cut(arrival, enter, leave)

    def _gathered(self, arrival: Times, enter: int, leave: int) -> Times:
        """Beats leave when the last of theirs has come."""
        parts = enter if leave == 1 else self.out_width // self.width
        ends = np.minimum(np.arange(1, leave + 1) * parts, enter) - 1
        times: Times = paced(arrival, 1).reshape(-1, enter)[:, ends].ravel() + 1
        return times

    def _serialized(self, arrival: Times, enter: int, leave: int) -> Times:
        """A beat is taken when the last part of the one before leaves."""
        parts = leave if enter == 1 else self.width // self.out_width
        counts = np.full(enter, parts)
        counts[-1] = leave - (enter - 1) * parts
        counts = np.tile(counts, len(arrival) // enter)
        before = np.cumsum(counts) - counts
        taken = np.maximum.accumulate(arrival - before) + before
        within = np.arange(counts.sum()) - np.repeat(before, counts)
        times: Times = np.repeat(taken, counts) + 1 + within
        return times

    def _cut(self, arrival: Times, enter: int, leave: int) -> Times:
        """A beat is taken when there is room for it; the units and the room are the module's."""
        common = math.gcd(self.width, self.out_width)
        coming, going = self.width // common, self.out_width // common
        room = (coming + 2 * going - 2) // going * going
        counts = np.full(enter, coming)
        counts[-1] = leave * going - (enter - 1) * coming
        counts = np.tile(counts, len(arrival) // enter)
        held = np.cumsum(counts)
        gone = np.maximum(-(-(held - room) // going), 0)  # beats that must have left before
        whole = held // going  # beats that may leave after
        left: list[int] = []
        cycle = -1
        for offered, least, most in zip(
            arrival.tolist(), gone.tolist(), whole.tolist(), strict=True
        ):
            cycle = max(offered, cycle + 1, left[least - 1] if least else 0)
            first = max(cycle, left[-1] if left else 0) + 1
            left += range(first, first + most - len(left))
        return np.array(left)
