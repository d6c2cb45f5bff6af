"""Products with constant weights: unrolled, or folded onto shared multipliers by a reuse factor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from gatewright.fixed import cast, effective_bits
from gatewright.kernels import cmvm
from gatewright.kernels.kernel import Implementation, OperationCounts
from gatewright.kernels.time_multiplexing import (
    TimeMultiplexing,
    Weights,
    multiplexed_area,
    multiplexed_datapath,
    reuse_factors,
)
from gatewright.kernels.weighted import Weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.targets import Target
    from gatewright.units import Datapath


@dataclass(frozen=True, eq=False)
class Product(Weighted):
    """Sums of products with a constant matrix, and biases; a subclass says of which operands.

    The weights are of shape (products per result, results).
    """

    #: Whether all results have the same operands; else each has its own, see `fold.Weights`.
    shared: ClassVar[bool] = True

    @property
    @override
    def reuse_factors(self) -> list[int]:
        return reuse_factors(*self.weights.shape)

    @override
    def cycles(self, reuse: int) -> int:
        return self._fold(reuse).without_zeros(self.weights).reuse

    def _fold(self, reuse: int) -> TimeMultiplexing:
        n_in, n_out = self.weights.shape
        return TimeMultiplexing(n_in, n_out, reuse)

    def accum_bias(self) -> NDArray[np.int64]:
        """The biases in the unit of the accumulators."""
        return cast(self.bias, self.bias_type.frac, self.accum)

    def multiplexed(self, lanes: int) -> Datapath:
        """How it is built with shared multipliers, for beats of so many elements."""
        weights = Weights(
            layer=self.layer,
            x=self.inputs[0].type,
            matrix=self.weights,
            frac=self.weight_type.frac,
            bias=self.accum_bias(),
            accum=self.accum,
            shared=self.shared,
            rom_style=self.rom_style,
        )
        return multiplexed_datapath(weights, self._fold(self.reuse), lanes, self.output)

    @override
    def area(self, reuse: int, target: Target) -> float:
        if reuse == 1:
            return self.unrolled_area(target)
        fold = self._fold(reuse).without_zeros(self.weights)
        widths = self.inputs[0].type.width, self.weight_type.width, self.accum.width
        return multiplexed_area(fold, widths, target.fabric, shared=self.shared)

    @abstractmethod
    def unrolled_area(self, target: Target) -> float:
        """Estimated area at reuse factor 1."""

    @override
    def implementation(self, target: Target) -> Implementation:
        if self.reuse == 1:
            return self.unrolled_implementation(target)
        multipliers = self._fold(self.reuse).multipliers
        return Implementation(cmvm.SHARED, f"{multipliers} multipliers, reuse factor {self.reuse}")

    @abstractmethod
    def unrolled_implementation(self, target: Target) -> Implementation:
        """How it is built at reuse factor 1."""

    def operation_counts(self) -> OperationCounts:
        """The same weights serve every period."""
        repeats = self.inputs[0].size // self.period
        width = self.inputs[0].type.width
        nonzero = int(np.count_nonzero(self.weights))
        return OperationCounts(
            macs=repeats * self.weights.size,
            bops=repeats * nonzero * width * self.weight_type.width,
            ebops=repeats * int(effective_bits(self.weights).sum()) * width,
            weights=self.weights.size,
            nonzero=nonzero,
            parameters=self.weights.size + self.bias.size,
            weight_bits=self.weights.size * self.weight_type.width
            + self.bias.size * self.bias_type.width,
        )
