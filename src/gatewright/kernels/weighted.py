"""Fields of layers that multiply by constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatewright.fixed import FixedType


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiplying:
    """How products with constants are asked to be built.

    Attributes:
        strategy: hls4ml's: "latency" takes what costs less on the target,
            "distributed_arithmetic" an adder graph, "resource" multipliers.
        reuse_factor: how many products share a multiplier, as asked; see `Kernel.reuse`.
        multiplier: what shared multipliers are made of: "auto", "dsp" or "lut".
        rom_style: where their weights stand: "auto", "block" or "distributed".
    """

    strategy: str = "latency"
    reuse_factor: int = 1
    multiplier: str = "auto"
    rom_style: str = "auto"


@dataclass(frozen=True, eq=False)
class Weighted(Multiplying):
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
