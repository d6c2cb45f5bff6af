"""First-in first-out memory between modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from gatewright.units.unit import Parameters, Stream, StreamGroup, Times, Unit


@dataclass(frozen=True, eq=False)
class Fifo(Unit):
    """Holds beats until their reader is ready.

    Attributes:
        depth: beats that it holds; 0 is wires.
        style: "auto", "block" or "distributed".
    """

    name: ClassVar[str] = "fifo"
    module: ClassVar[str] = "gw_fifo"

    depth: int
    style: str = "auto"

    @property
    @override
    def cuts_ready(self) -> bool:
        return self.depth > 1

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        return sources

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return self.sized(source.bits)

    def sized(self, bits: int) -> Parameters:
        """Parameters of the module's instance for beats of `bits` bits."""
        return {"Width": bits, "Depth": self.depth, "RamStyle": f'"{self.style}"'}

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        return arrivals[0] + (self.depth > 0)
