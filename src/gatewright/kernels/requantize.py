"""Quantizers with a type for each element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.fixed import FixedType, cast
from gatewright.kernels.elementwise import Elementwise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Requantize(Elementwise):
    """y = cast(cast_i(x)): element i in a type of its own, then in the result's.

    As the function that hls4ml writes for a `FixedPointQuantizer`
    (backends/fpga/passes/hgq_proxy_model.py). An element without bits is 0.

    Attributes:
        types_of: the types that occur.
        which: int64: for each element of a period, the index of its type in `types_of`; -1 for an
            element without bits.
    """

    types_of: tuple[FixedType, ...]
    which: NDArray[np.int64]

    @property
    @override
    def period(self) -> int:
        return self.which.size

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        to = self.output.type
        which = np.resize(self.which, self.output.size).reshape(self.output.shape)
        result = np.zeros_like(x)
        for index, own in enumerate(self.types_of):
            quantized = cast(cast(x, self.source.frac, own), own.frac, to)
            result = np.where(which == index, quantized, result)
        return result

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target
        index = int(self.which[element % self.which.size])
        if index < 0:
            return circuit.constant(0)
        return circuit.cast(circuit.cast(x, self.types_of[index]), self.output.type)
