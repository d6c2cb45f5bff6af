"""The tensors that join kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatewright.fixed import FixedType


@dataclass(frozen=True)
class Tensor:
    """A typed tensor between kernels; `shape` is without the batch."""

    name: str
    shape: tuple[int, ...]
    type: FixedType

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)
