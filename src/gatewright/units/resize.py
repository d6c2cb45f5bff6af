"""Width conversion: the same elements in the same order, more or fewer per beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from gatewright.units.unit import Element, Parameters, Stream, StreamGroup, Times, Unit, paced


@dataclass(frozen=True, eq=False)
class Resize(Unit):
    """Beats of another size; one size is a multiple of the other.

    Attributes:
        lanes: elements per output beat.
    """

    name: ClassVar[str] = "resize"
    module: ClassVar[str] = "gw_resize"

    lanes: int

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        beats = source.beats * source.lanes // self.lanes
        if self.lanes < source.lanes:
            elements = tuple(
                Element.union(source.elements[lane :: self.lanes]) for lane in range(self.lanes)
            )
        else:
            elements = source.elements * (self.lanes // source.lanes)
        return (Stream(source.type, elements, beats).late(),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return {"Width": source.type.width, "InLanes": source.lanes, "OutLanes": self.lanes}

    @override
    def busy(self, *sources: Stream) -> int:
        return max(1, sources[0].lanes // self.lanes)

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        (source,), (arrival,) = sources, arrivals
        if self.lanes < source.lanes:
            parts = self.busy(source)
            taken = paced(arrival, parts)
            return (taken[:, None] + np.arange(1, parts + 1)).ravel()
        parts = self.lanes // source.lanes
        return paced(arrival, 1)[parts - 1 :: parts] + 1


def resized(source: int, to: int) -> tuple[Resize, ...]:
    """The units that turn beats of `source` elements into beats of `to`."""
    if source == to:
        return ()
    if source % to == 0 or to % source == 0:
        return (Resize(to),)
    return (Resize(math.gcd(source, to)), Resize(to))
