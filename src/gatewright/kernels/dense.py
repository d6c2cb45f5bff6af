"""Fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, Overflow, cast
from gatewright.kernels import cmvm
from gatewright.kernels.kernel import Implementation
from gatewright.kernels.product import Product
from gatewright.kernels.time_multiplexing import parallel_notes
from gatewright.units import CircuitUnit, Datapath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: float64 holds integers exactly up to this, so BLAS may do integer arithmetic below it.
_EXACT_FLOAT = 1 << 53


@dataclass(frozen=True, eq=False)
class Dense(Product):
    """y = cast(bias + sum of products), as `dense_latency` of nnet_dense_latency.h.

    Each product is cast to the accumulator's type before it is added, as there. The sum is exact
    as long as the accumulator wraps; if a partial sum could saturate, the result depends on the
    order of summation, and is refused.

    The weights are of shape (n_in, n_out), the bias of shape (n_out,).

    Attributes:
        parallel: requested number of vectors multiplied at a time, if the input holds several:
            hls4ml's parallelization factor.
    """

    parallel: int = 1

    def __post_init__(self) -> None:
        x = self.inputs[0].type
        largest = int(np.abs(self.weights).sum(axis=0).max(initial=0)) * max(-x.min, x.max)
        largest <<= max(0, self.accum.frac - self._product_frac)
        largest += int(np.abs(self.accum_bias()).max(initial=0))
        if max(largest.bit_length(), self.accum.width) > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its sums of products need more than {WORD_BITS} bits; "
                f"narrow the result of the layer before it, {self.layer}.precision.weight or "
                f"{self.layer}.precision.accum"
            )
        if self.accum.overflow is not Overflow.WRAP and self._may_saturate():
            raise UnsupportedError(
                f"layer '{self.layer}': its accumulator {self.accum} can saturate in mid-sum, so "
                "the result would depend on the order of summation; set "
                f"{self.layer}.precision.accum='{replace(self.accum, overflow=Overflow.WRAP)}', or "
                "a wider one"
            )

    @property
    def period(self) -> int:
        """See `Kernel.period`: a vector."""
        return int(self.weights.shape[0])

    @property
    @override
    def repeats(self) -> int:
        vectors = self.inputs[0].size // self.period
        if self.reuse > 1:
            return vectors
        # As many vectors at a time as requested, or the next number above that divides all.
        return next(n for n in range(vectors // self.parallel or 1, 0, -1) if vectors % n == 0)

    @property
    def _product_frac(self) -> int:
        return self.inputs[0].type.frac + self.weight_type.frac

    @property
    def _exact_products(self) -> bool:
        return self.accum.frac >= self._product_frac

    def _may_saturate(self) -> bool:
        """Whether a product or a partial sum, in any order, can leave the accumulator's range.

        The interval of each product includes zero, so partial sums lie within the full sum's.
        """
        x = self.inputs[0].type
        wide = FixedType(WORD_BITS, WORD_BITS - self.accum.frac, True, self.accum.rounding)
        ends = [cast(self.weights * x_end, self._product_frac, wide) for x_end in (x.min, x.max)]
        low, high = np.minimum(*ends), np.maximum(*ends)
        bias = cast(self.bias, self.bias_type.frac, wide)
        least = min(low.min(initial=0), bias.min(), (bias + low.sum(axis=0)).min())
        most = max(high.max(initial=0), bias.max(), (bias + high.sum(axis=0)).max())
        return bool(least < self.accum.lowest or most > self.accum.max)

    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Kernel.golden`; the last axis is multiplied."""
        (x,) = inputs
        if self._exact_products:
            total = _matmul(x, self.weights) << (self.accum.frac - self._product_frac)
        else:
            total = np.empty((*x.shape[:-1], self.weights.shape[1]), np.int64)
            for column, weights in enumerate(self.weights.T):
                rows = np.flatnonzero(weights)
                products = cast(x[..., rows] * weights[rows], self._product_frac, self.accum)
                total[..., column] = products.sum(axis=-1)
        total = cast(total + self.accum_bias(), self.accum.frac, self.accum)
        result = cast(total, self.accum.frac, self.output.type)
        return result.reshape(len(x), *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        rows = inputs[0]
        n_in, _ = self.weights.shape
        result = []
        for start in range(0, len(rows), n_in):
            result.extend(self._build_vector(circuit, target, rows[start : start + n_in]))
        return result

    def _build_vector(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        sums = self._exact_sums if self._exact_products else self._rounded_sums
        result = []
        for total, bias in zip(sums(circuit, target, x), self.accum_bias(), strict=True):
            word = circuit.sum(((1, total), (1, circuit.constant(int(bias), self.accum.frac))))
            result.append(circuit.cast(circuit.cast(word, self.accum), self.output.type))
        return result

    def _exact_sums(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        matrix, scale = cmvm.without_common_factor(self.weights)
        multiplies = self.implementation(target).strategy == cmvm.MULTIPLIERS
        if multiplies:
            words = cmvm.multipliers(circuit, x, matrix)
        else:
            words = cmvm.adder_graph(circuit, x, matrix, target.fabric)
        return [word.scaled(scale - self.weight_type.frac) for word in words]

    def _rounded_sums(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        """Sums of products that are rounded one by one."""
        totals, frac = [], self.weight_type.frac
        for column in self.weights.T:
            products = (
                cmvm.product(circuit, target, x[i], int(column[i]), frac, self.strategy)
                for i in np.flatnonzero(column).tolist()
            )
            totals.append(circuit.sum((1, circuit.cast(word, self.accum)) for word in products))
        return totals

    @override
    def on_beat(self, lanes: int) -> Dense:
        n_in, n_out = self.weights.shape
        inputs = (replace(self.inputs[0], shape=(lanes,)),)
        output = replace(self.output, shape=(lanes // n_in * n_out,))
        return replace(self, inputs=inputs, output=output)

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        if self.reuse == 1:
            beat = self.inputs[0].size // self.repeats
            body = self.on_beat(beat)
            return Datapath((beat,), (CircuitUnit((body,)),), body.output.size, reuse=1)
        return self.multiplexed(lanes[0])

    @override
    def notes(self) -> tuple[str, ...]:
        vectors = self.inputs[0].size // self.period
        return (
            *super().notes(),
            *parallel_notes(min(self.parallel, vectors), vectors // self.repeats, self.reuse),
        )

    @override
    def unrolled_area(self, target: Target) -> float:
        matrix, _ = cmvm.without_common_factor(self.weights)
        vectors = self.inputs[0].size // self.period // self.reused(1).repeats
        width = self.inputs[0].type.width
        return float(vectors) * cmvm.unrolled_area(matrix, width, self.strategy, target)

    @override
    def unrolled_implementation(self, target: Target) -> Implementation:
        width = self.inputs[0].type.width
        if not self._exact_products:
            each = np.unique(self.weights)[None, :]
            strategy = cmvm.choose(each, width, self.strategy, target).strategy
            return Implementation(strategy, f"products are rounded one by one to {self.accum}")
        matrix, _ = cmvm.without_common_factor(self.weights)
        return cmvm.choose(matrix, width, self.strategy, target)


def _matmul(x: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exact integer x @ weights, through BLAS where double precision holds every partial sum."""
    largest = int(np.abs(x).max(initial=0)) * int(np.abs(weights).sum(axis=0).max(initial=0))
    if largest < _EXACT_FLOAT:
        return (x.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    return x @ weights
