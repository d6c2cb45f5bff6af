"""Kernels that sum products with constant weights."""

from __future__ import annotations

from dataclasses import dataclass
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
