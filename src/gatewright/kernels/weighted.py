"""Kernels that sum products with constant weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewright.kernels.multiplexed import Multiplexed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatewright.fixed import FixedType


@dataclass(frozen=True, eq=False)
class Weighted(Multiplexed):
    """What a layer that sums its products is made of; a kernel says of which shape its weights are.

    Attributes:
        weights: raw int64.
        bias: raw int64, one per result.
        weight_type: type of `weights`.
        bias_type: type of `bias`.
        accum: type of the accumulators.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    weight_type: FixedType
    bias_type: FixedType
    accum: FixedType

    def accumulated(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the accumulators hold at the end of each sum.

        The result is the accumulator's value, cast; if it has the accumulator's type, that cast
        changes nothing.

        Args:
            inputs: Raw inputs, as for `golden`.

        Returns:
            Raw values of `accum`, int64, in the shape of the result.
        """
        same = replace(self, output=replace(self.output, type=self.accum))
        return same.golden(*inputs)
