"""Kernels that multiply by constants, and can share multipliers over time."""

from __future__ import annotations

import bisect
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from gatewright.kernels.kernel import Kernel

if TYPE_CHECKING:
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiplexed(Kernel):
    """A kernel with a reuse factor: the number of products that share a multiplier over time.

    Attributes:
        strategy: hls4ml's: "latency" takes the cheaper way on the target, "distributed_arithmetic"
            an adder graph, "resource" multipliers.
        reuse_factor: as requested; see `reuse`.
        multiplier: what shared multipliers are made of: "auto", "dsp" or "lut".
        rom_style: where their weights are kept: "auto", "block" or "distributed".
    """

    strategy: str = "latency"
    reuse_factor: int = 1
    multiplier: str = "auto"
    rom_style: str = "auto"

    @property
    @abstractmethod
    def reuse_factors(self) -> list[int]:
        """All valid reuse factors, in ascending order, 1 included."""

    @property
    def reuse(self) -> int:
        """The valid reuse factor closest to the requested one, as hls4ml chooses it."""
        factors, wanted = self.reuse_factors, self.reuse_factor
        place = bisect.bisect_left(factors, wanted)
        return min(factors[max(0, place - 1) : place + 1], key=lambda r: abs(r - wanted))

    @property
    def repeats(self) -> int:
        """Products by the same weights that follow each other, per tensor."""
        return 1

    @property
    def products(self) -> int:
        """Products of one repeat: what multipliers share."""
        return self.reuse_factors[-1]

    def cycles(self, reuse: int) -> int:
        """Clock cycles of one repeat with a reuse factor, fewer where steps can be left out."""
        return reuse

    def interval(self, reuse: int) -> int:
        """Clock cycles per tensor with a reuse factor, as far as multipliers decide it."""
        return self.reused(reuse).repeats * self.cycles(reuse)

    def reused(self, reuse: int) -> Self:
        """The kernel with another reuse factor; one of `reuse_factors`."""
        factor: dict[str, Any] = {"reuse_factor": reuse}
        return replace(self, **factor)

    @abstractmethod
    def area(self, reuse: int, target: Target) -> float:
        """Estimated area of the multiplication at a reuse factor, in the fabric's unit.

        Multipliers and memory blocks count at their price.
        """

    @override
    def notes(self) -> tuple[str, ...]:
        if self.reuse_factor == self.reuse:
            return ()
        return (f"reuse factor moved from {self.reuse_factor} to {self.reuse}",)
