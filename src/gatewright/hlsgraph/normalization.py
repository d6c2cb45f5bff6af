"""Layer normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatewright.fixed import FixedType
from gatewright.hlsgraph.node import integer, words


@dataclass(frozen=True)
class LayerNormalization:
    """The settings of a layer normalization over the last axis.

    Attributes:
        slices: number of slices that are normalized.
        decimals: epsilon is 10**-decimals.
        table_size: entries of the table of inverse roots.
        reach: the table ends at 2**reach.
        table: type of its entries.
        accum: type of sums, mean, differences, squares and variance.
    """

    slices: int
    decimals: int
    table_size: int
    reach: int
    table: FixedType
    accum: FixedType

    @property
    def epsilon(self) -> float:
        """What is added to the variance."""
        return 10.0**-self.decimals


def layer_normalization(node: Any) -> LayerNormalization:
    """The settings of a LayerNormalization node."""
    return LayerNormalization(
        slices=integer(node, "seq_len"),
        decimals=integer(node, "epsilon_power_of_10"),
        table_size=integer(node, "table_size"),
        reach=-integer(node, "table_range_power2"),
        table=words(node, "table"),
        accum=words(node, "accum"),
    )
