"""The tensors between kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatewright.fixed import FixedType

#: Most elements of a tensor read from a file; the largest layers have about 10**7.
MOST_ELEMENTS = 1 << 26


@dataclass(frozen=True)
class Tensor:
    """A typed tensor between kernels; `shape` excludes the batch."""

    name: str
    shape: tuple[int, ...]
    type: FixedType

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)
