"""Batch normalization by constants, also merged with a binary or ternary activation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, cast, effective_bits
from gatewright.kernels import cmvm
from gatewright.kernels.elementwise import Elementwise
from gatewright.kernels.kernel import Implementation, OperationCounts
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.tensor import Tensor
from gatewright.units import CircuitUnit, Datapath, OperandSequencer, Rom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class BatchNorm(Multiplexed, Elementwise):
    """y = cast(x * scale + bias) with an exact product and sum, as `normalize` of nnet_batchnorm.h.

    It is elements that share a multiplier.

    Attributes:
        scale: raw int64 of shape (n,); element i of the input, in C order, takes entry i mod n.
        bias: raw int64 of shape (n,).
        scale_type: type of `scale`.
        bias_type: type of `bias`.
    """

    scale: NDArray[np.int64]
    bias: NDArray[np.int64]
    scale_type: FixedType
    bias_type: FixedType

    def __post_init__(self) -> None:
        x = self.source
        product = int(np.abs(self.scale).max()) * max(-x.min, x.max)
        product <<= self._frac - x.frac - self.scale_type.frac
        bias = int(np.abs(self.bias).max()) << (self._frac - self.bias_type.frac)
        if (product + bias).bit_length() > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its products and biases need more than {WORD_BITS} bits; "
                f"narrow the result of the layer before it, {self.layer}.precision.scale or "
                f"{self.layer}.precision.bias"
            )

    @property
    @override
    def period(self) -> int:
        return len(self.scale)

    @property
    def reuse_factors(self) -> list[int]:
        """See `Multiplexed.reuse_factors`: as many elements share a multiplier as divide all."""
        count = len(self.scale)
        return [reuse for reuse in range(1, count + 1) if count % reuse == 0]

    @property
    @override
    def repeats(self) -> int:
        return self.inputs[0].size // len(self.scale) if self.reuse > 1 else 1

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        if self.reuse == 1:
            return super().datapath(lanes)
        take = len(self.scale) // self.reuse
        scale, bias = (values.reshape(-1, take) for values in (self.scale, self.bias))
        rom = Rom(((scale, self.scale_type), (bias, self.bias_type)), self.rom_style)
        x, y = (replace(tensor, shape=(take,)) for tensor in (self.inputs[0], self.output))
        factors = Tensor("scale", (take,), self.scale_type), Tensor("bias", (take,), self.bias_type)
        step = Scaled(self.layer, (x, *factors), y)
        units = OperandSequencer(take, 1, rom), CircuitUnit((step,))
        return Datapath((len(self.scale),), units, take, self.reuse, take)

    @override
    def area(self, reuse: int, target: Target) -> float:
        fabric, count, width = target.fabric, len(self.scale), self.source.width
        sums = fabric.sum_area(width + self.scale_type.width)
        if reuse == 1:
            each = self.scale[:, None, None]
            products = sum(cmvm.unrolled_area(v, width, self.strategy, target) for v in each)
            return products + count * sums
        take = count // reuse
        products = take * (fabric.product_area(width, self.scale_type.width) + sums)
        rom = fabric.rom_area(take * (self.scale_type.width + self.bias_type.width), reuse)
        return products + count * fabric.held_area(width) + rom

    @property
    def _frac(self) -> int:
        """Fractional bits that hold products and biases alike."""
        return max(self.source.frac + self.scale_type.frac, self.bias_type.frac)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        flat = x.reshape(len(x), -1, len(self.scale))
        products = (flat * self.scale) << (self._frac - self.source.frac - self.scale_type.frac)
        total = products + (self.bias << (self._frac - self.bias_type.frac))
        return cast(total, self._frac, self.output.type).reshape(len(x), *self.output.shape)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        entry = element % len(self.scale)
        scale, frac = int(self.scale[entry]), self.scale_type.frac
        product = cmvm.product(circuit, target, x, scale, frac, self.strategy)
        bias = circuit.constant(int(self.bias[entry]), self.bias_type.frac)
        return circuit.cast(circuit.sum(((1, product), (1, bias))), self.output.type)

    @override
    def implementation(self, target: Target) -> Implementation:
        if self.reuse > 1:
            count = len(self.scale) // self.reuse
            return Implementation(cmvm.SHARED, f"{count} multipliers, reuse factor {self.reuse}")
        width = self.source.width
        each = {cmvm.choose(v, width, self.strategy, target) for v in self.scale[:, None, None]}
        strategies = {choice.strategy for choice in each}
        if len(strategies) == 1:
            return Implementation(strategies.pop(), "the same for every scale")
        return Implementation(
            f"{cmvm.ADDERS}, {cmvm.MULTIPLIERS}", "whichever costs less for each scale"
        )

    @override
    def operation_counts(self) -> OperationCounts:
        size = self.inputs[0].size
        repeats = size // len(self.scale)
        nonzero = int(np.count_nonzero(self.scale))
        return OperationCounts(
            macs=size,
            bops=repeats * nonzero * self.source.width * self.scale_type.width,
            ebops=repeats * int(effective_bits(self.scale).sum()) * self.source.width,
            weights=self.scale.size,
            nonzero=nonzero,
            parameters=self.scale.size + self.bias.size,
            weight_bits=self.scale.size * self.scale_type.width
            + self.bias.size * self.bias_type.width,
        )


@dataclass(frozen=True)
class Scaled:
    """A step's elements times factors plus biases that come along with them.

    Attributes:
        layer: the layer that it belongs to.
        inputs: elements, scales and biases, of shape (n,) each.
        output: results, of shape (n,).
    """

    layer: str
    inputs: tuple[Tensor, ...]
    output: Tensor

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        del target
        return [
            circuit.cast(circuit.sum(((1, circuit.mul(x, scale)), (1, bias))), self.output.type)
            for x, scale, bias in zip(*inputs, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Thresholds(Elementwise):
    """Batch normalization merged with a quantized tanh: comparisons with thresholds.

    With one threshold t, y is 1 where x >= t, else 0 (`normalize_binary_tanh`); with two, y is 1
    where x > high, -1 where not so and x <= low, else 0 (`normalize_ternary_tanh`).

    Attributes:
        thresholds: raw int64 in the unit of the input's type, of shape (1, n) or (2, n), the high
            ones first; element i of the input, in C order, takes column i mod n.
    """

    thresholds: NDArray[np.int64]

    @property
    @override
    def period(self) -> int:
        return int(self.thresholds.shape[1])

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        flat = x.reshape(len(x), -1, self.thresholds.shape[1])
        if len(self.thresholds) == 1:
            result = (flat >= self.thresholds[0]).astype(np.int64)
        else:
            high, low = self.thresholds
            result = np.where(flat > high, 1, np.where(flat <= low, -1, 0))
        return cast(result, 0, self.output.type).reshape(len(x), *self.output.shape)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target
        column = self.thresholds[:, element % self.thresholds.shape[1]]
        limits = [circuit.constant(int(limit), self.source.frac) for limit in column]
        if len(limits) == 1:
            word = circuit.compare(">=", x, limits[0])
        else:
            below = circuit.compare("<=", x, limits[1])
            rest = circuit.select(below, circuit.constant(-1), circuit.constant(0))
            word = circuit.select(circuit.compare(">", x, limits[0]), circuit.constant(1), rest)
        return circuit.cast(word, self.output.type)
