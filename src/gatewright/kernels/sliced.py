"""Functions of slices of a tensor along one of its axes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from typing_extensions import override

from gatewright.kernels.kernel import Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Sliced(Kernel):
    """A function of slices along one axis, as `softmax_multidim` of nnet_activation.h cuts them.

    The tensor is taken as (n_outer, n, n_inner); the function works along the middle axis.

    Attributes:
        n_outer: product of the dimensions before the axis.
        n_inner: product of those after it.
    """

    n_outer: int = field(default=1, kw_only=True)
    n_inner: int = field(default=1, kw_only=True)

    @property
    @override
    def period(self) -> int:
        return self.slice_size * self.n_inner

    @override
    def on_beat(self, lanes: int) -> Self:
        return replace(super().on_beat(lanes), n_outer=lanes // self.period)

    @property
    def slice_size(self) -> int:
        """Elements of a slice."""
        return self.inputs[0].size // (self.n_outer * self.n_inner)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        cut = x.reshape(len(x), self.n_outer, self.slice_size, self.n_inner)
        result = self.golden_slices(np.moveaxis(cut, 2, -1))
        return np.moveaxis(result, -1, 2).reshape(len(x), *self.output.shape)

    @abstractmethod
    def golden_slices(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Raw outputs for slices along the last axis."""

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        (x,) = inputs
        result = list(x)
        stride = self.slice_size * self.n_inner
        for start in range(0, len(x), stride):
            for inner in range(self.n_inner):
                positions = slice(start + inner, start + stride, self.n_inner)
                result[positions] = self.build_slice(circuit, target, x[positions])
        return result

    @abstractmethod
    def build_slice(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        """Add the function of one slice to a circuit."""
