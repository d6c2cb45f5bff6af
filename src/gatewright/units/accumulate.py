"""Reduction over successive beats, lane by lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from gatewright.circuit.fabric import Fabric
from gatewright.fixed import FixedType
from gatewright.units.unit import Element, Parameters, Stream, StreamGroup, Times, Unit, paced


@dataclass(frozen=True, eq=False)
class Accumulate(Unit):
    """Sums of successive beats, modulo 2**width of the result's type.

    Attributes:
        steps: beats per sum.
        type: of the sums; its unit is that of the beats.
        bounds: least and greatest value of a sum, per lane.
        bias: raw value that each sum starts from, per group and lane.
    """

    name: ClassVar[str] = "accumulate"
    module: ClassVar[str] = "gw_accumulate"

    steps: int
    type: FixedType
    bounds: tuple[tuple[int, int], ...]
    bias: tuple[tuple[int, ...], ...]

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        elements = tuple(Element(low, high, self.type.frac) for low, high in self.bounds)
        return (Stream(self.type, elements, source.beats // self.steps),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        width = self.type.width
        values = [value for group in self.bias for value in group]
        packed = sum((value & ((1 << width) - 1)) << (width * i) for i, value in enumerate(values))
        return {
            "Lanes": source.lanes,
            "InWidth": source.type.width,
            "Width": width,
            "Steps": self.steps,
            "Groups": len(self.bias),
            "Bias": f"{width * len(values)}'h{packed:x}",
        }

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        return paced(arrivals[0], 1)[self.steps - 1 :: self.steps] + 1

    @override
    def settling(self, fabric: Fabric, *sources: Stream) -> float:
        """See `Unit.settling`: the bias or the sum is chosen, and the beat added."""
        chosen = fabric.enable_delay(1)
        return super().settling(fabric, *sources) + chosen + fabric.sum_delay(self.type.width)


@dataclass(frozen=True, eq=False)
class Maximum(Unit):
    """Greatest of successive beats, lane by lane.

    Attributes:
        steps: beats per maximum.
    """

    name: ClassVar[str] = "maximum"
    module: ClassVar[str] = "gw_maximum"

    steps: int

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        return (Stream(source.type, source.elements, source.beats // self.steps).late(),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return {
            "Lanes": source.lanes,
            "Width": source.type.width,
            "Signed": int(source.type.signed),
            "Steps": self.steps,
        }

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        return paced(arrivals[0], 1)[self.steps - 1 :: self.steps] + 1

    @override
    def settling(self, fabric: Fabric, *sources: Stream) -> float:
        """See `Unit.settling`: the beat is compared, and what is greater chosen."""
        (source,) = sources
        width = source.type.width
        return source.settled + fabric.sum_delay(width) + fabric.enable_delay(width)
