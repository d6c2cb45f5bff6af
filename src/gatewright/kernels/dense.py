"""Fully connected layer, unrolled (reuse factor 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, cast
from gatewright.kernels import cmvm
from gatewright.kernels.base import Choice, Kernel, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: float64 holds integers exactly up to this, so BLAS may do integer arithmetic below it.
_EXACT_FLOAT = 1 << 53


@dataclass(frozen=True, eq=False)
class Dense(Kernel):
    """y = cast(bias + sum of products), as `dense_latency` of nnet_dense_latency.h.

    Each product is cast to the accumulator's type before it is added, as there. The sum is exact
    as long as the accumulator wraps; one that could saturate on the way depends on the order of
    summation, and is refused.

    Attributes:
        weights: raw int64 of shape (n_in, n_out).
        bias: raw int64 of shape (n_out,).
        weight_type: type of `weights`.
        bias_type: type of `bias`.
        accum: type of the accumulator.
        strategy: hls4ml's: "latency" takes what costs less on the target,
            "distributed_arithmetic" an adder graph, "resource" multipliers.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    weight_type: FixedType
    bias_type: FixedType
    accum: FixedType
    strategy: str = "latency"

    def __post_init__(self) -> None:
        if self.accum.overflow is not Overflow.WRAP and self._may_saturate():
            raise UnsupportedError(
                f"layer '{self.layer}': its accumulator {self.accum} can saturate in mid-sum, so "
                "the result would depend on the order of summation; widen it or let it wrap"
            )

    @property
    def _product_frac(self) -> int:
        return self.inputs[0].type.frac + self.weight_type.frac

    @property
    def _exact_products(self) -> bool:
        return self.accum.frac >= self._product_frac

    def _may_saturate(self) -> bool:
        """Whether a partial sum, in the order of the C++, can leave the accumulator's range."""
        x = self.inputs[0].type
        low = np.minimum(self.weights * x.min, self.weights * x.max)
        high = np.maximum(self.weights * x.min, self.weights * x.max)
        low = np.cumsum(
            np.vstack([self._accum_bias(), cast(low, self._product_frac, self._wide)]), 0
        )
        high = np.cumsum(
            np.vstack([self._accum_bias(), cast(high, self._product_frac, self._wide)]), 0
        )
        return bool(low.min() < self.accum.min or high.max() > self.accum.max)

    @property
    def _wide(self) -> FixedType:
        """The accumulator's grid and rounding without its limits."""
        return FixedType(62, 62 - self.accum.frac, True, self.accum.rounding)

    def _accum_bias(self) -> NDArray[np.int64]:
        return cast(self.bias, self.bias_type.frac, self.accum)

    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Kernel.golden`; the last axis is multiplied."""
        (x,) = inputs
        if self._exact_products:
            total = _matmul(x, self.weights) << (self.accum.frac - self._product_frac)
        else:
            total = np.empty((*x.shape[:-1], self.weights.shape[1]), np.int64)
            for column, weights in enumerate(self.weights.T):
                products = cast(x * weights, self._product_frac, self.accum)
                total[..., column] = products.sum(axis=-1)
        return self._finish(total + self._accum_bias())

    def _finish(self, total: NDArray[np.int64]) -> NDArray[np.int64]:
        return cast(cast(total, self.accum.frac, self.accum), self.accum.frac, self.output.type)

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """See `Kernel.build`."""
        rows = inputs[0]
        n_in, _ = self.weights.shape
        result = []
        for start in range(0, len(rows), n_in):
            result.extend(self._build_vector(circuit, target, rows[start : start + n_in]))
        return result

    def _build_vector(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        if self._exact_products:
            matrix, scale = _without_common_factor(self.weights)
            make = cmvm.multipliers if self._uses_multipliers(target) else cmvm.adder_graph
            totals = [
                word.scaled(scale - self.weight_type.frac) for word in make(circuit, x, matrix)
            ]
        else:
            totals = [self._rounded_products(circuit, x, column) for column in self.weights.T]
        result = []
        for total, bias in zip(totals, self._accum_bias(), strict=True):
            word = circuit.sum(((1, total), (1, circuit.constant(int(bias), self.accum.frac))))
            result.append(circuit.cast(circuit.cast(word, self.accum), self.output.type))
        return result

    def _rounded_products(
        self, circuit: Circuit, x: Sequence[Word], column: NDArray[np.int64]
    ) -> Word:
        products = [
            circuit.mul(x[i], circuit.constant(int(column[i]), self.weight_type.frac))
            for i in np.flatnonzero(column).tolist()
        ]
        return circuit.sum((1, circuit.cast(product, self.accum)) for product in products)

    def choice(self, target: Target) -> Choice:
        """See `Kernel.choice`."""
        if not self._exact_products:
            return Choice("multipliers", f"products are rounded one by one to {self.accum}")
        if self.strategy == "distributed_arithmetic":
            return Choice("adder graph", "strategy: distributed_arithmetic")
        if self.strategy == "resource":
            return Choice("multipliers", "strategy: resource")
        matrix, _ = _without_common_factor(self.weights)
        width = self.inputs[0].type.width
        adders = cmvm.adder_graph_luts(matrix, width)
        products = cmvm.multiplier_luts(matrix, width, target.dsp_price)
        reason = (
            f"estimated {adders:.0f} LUT as adders, {products:.0f} LUT-equivalents "
            f"with multipliers at {target.dsp_price:g} LUT per DSP"
        )
        return Choice("adder graph" if adders <= products else "multipliers", reason)

    def _uses_multipliers(self, target: Target) -> bool:
        return self.choice(target).strategy == "multipliers"

    def work(self) -> Work:
        """See `Kernel.work`."""
        vectors = self.inputs[0].size // self.weights.shape[0]
        nonzero = int(np.count_nonzero(self.weights))
        return Work(
            macs=vectors * self.weights.size,
            bops=vectors * nonzero * self.inputs[0].type.width * self.weight_type.width,
            parameters=self.weights.size + self.bias.size,
            nonzero=nonzero + int(np.count_nonzero(self.bias)),
            weight_bits=self.weights.size * self.weight_type.width
            + self.bias.size * self.bias_type.width,
        )


def _matmul(x: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exact integer x @ weights, through BLAS where double precision holds every partial sum."""
    largest = int(np.abs(x).max(initial=0)) * int(np.abs(weights).sum(axis=0).max(initial=0))
    if largest < _EXACT_FLOAT:
        return (x.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    if largest >= 1 << 63:
        raise UnsupportedError("a sum of products leaves 64 bits")
    return x @ weights


def _without_common_factor(weights: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The weights divided by the largest power of two that divides them all, and its exponent."""
    bits = int(np.bitwise_or.reduce(np.abs(weights), axis=None))
    exponent = (bits & -bits).bit_length() - 1 if bits else 0
    return weights >> exponent, exponent
