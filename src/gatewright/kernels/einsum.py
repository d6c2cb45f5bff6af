"""Sums of products of two tensors along any axes, as in attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, cast
from gatewright.kernels.accumulation import total
from gatewright.kernels.elementwise import check_product
from gatewright.kernels.kernel import Kernel, OperationCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Einsum(Kernel):
    """y[i, k, l] = cast(sum of a[i, k, c] * b[i, l, c] over c), as `einsum` of nnet_einsum.h.

    The inputs are transposed before, the result after it. An accumulator starts at zero; each
    product is added exactly, and the sum is cast to the accumulator's type.

    Attributes:
        accum: type of the accumulator.
        orders: for each input, its axes in the order of (i, k, c) or (i, l, c).
        shared: product of the sizes of the axes i, which both inputs and the result have.
        summed: product of the sizes of the axes c.
        made: shape of the result before it is transposed.
        order: its axes in the order of the result.
    """

    accum: FixedType
    orders: tuple[tuple[int, ...], tuple[int, ...]]
    shared: int
    summed: int
    made: tuple[int, ...]
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        a, b = (tensor.type for tensor in self.inputs)
        check_product(self.layer, a, b)
        integer = max(self.accum.integer, a.integer + b.integer) + 1
        if integer + max(self.accum.frac, a.frac + b.frac) > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its sum of products needs more than {WORD_BITS} bits; "
                f"narrow precision.result of the layers before it or {self.layer}.precision.accum"
            )

    @property
    def _frac(self) -> int:
        """Fractional bits of an accumulator plus a product."""
        return max(self.accum.frac, sum(tensor.type.frac for tensor in self.inputs))

    def _rows(self, which: int, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """An input of shape (batch, *shape) as (batch, i, k or l, c)."""
        axes = [axis + 1 for axis in self.orders[which]]
        return x.transpose(0, *axes).reshape(len(x), self.shared, -1, self.summed)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        a, b = (self._rows(which, x) for which, x in enumerate(inputs))
        frac, accum = self._frac, self.accum
        shift = frac - sum(tensor.type.frac for tensor in self.inputs)
        found = np.zeros((len(a), self.shared, a.shape[2], b.shape[2]), np.int64)
        for step in range(self.summed):
            product = a[:, :, :, None, step] * b[:, :, None, :, step]
            found = cast((found << frac - accum.frac) + (product << shift), frac, accum)
        result = cast(found, accum.frac, self.output.type).reshape(len(a), *self.made)
        axes = [axis + 1 for axis in self.order]
        return result.transpose(0, *axes).reshape(len(a), *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        shapes = [tensor.shape for tensor in self.inputs]
        places = [np.arange(math.prod(shape)).reshape(1, *shape) for shape in shapes]
        first, second = (self._rows(which, place)[0] for which, place in enumerate(places))
        made = [
            self._sum(
                circuit,
                [
                    circuit.mul(inputs[0][m], inputs[1][n])
                    for m, n in zip(first[i, k].tolist(), second[i, line].tolist(), strict=True)
                ],
            )
            for i in range(self.shared)
            for k in range(first.shape[1])
            for line in range(second.shape[1])
        ]
        order = np.arange(len(made)).reshape(self.made).transpose(self.order).ravel()
        return [made[place] for place in order.tolist()]

    def _sum(self, circuit: Circuit, products: list[Word]) -> Word:
        if self._frac == self.accum.frac:
            whole = total(circuit, products, self.accum, lambda words, add: reduce(add, words))
        else:  # each step rounds
            whole = circuit.constant(0, self.accum.frac)
            for word in products:
                whole = circuit.cast(circuit.sum(((1, whole), (1, word))), self.accum)
        return circuit.cast(whole, self.output.type)

    @override
    def operation_counts(self) -> OperationCounts:
        a, b = (tensor.type for tensor in self.inputs)
        macs = self.output.size * self.summed
        bops = macs * a.width * b.width
        return OperationCounts(macs=macs, bops=bops, ebops=bops)
