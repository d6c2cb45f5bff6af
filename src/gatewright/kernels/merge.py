"""Layers that join two tensors, element by element or in a dot product."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, Overflow, cast
from gatewright.kernels.kernel import Kernel, OperationCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

OPERATIONS = ("add", "subtract", "multiply", "average", "maximum", "minimum")


@dataclass(frozen=True, eq=False)
class Merge(Kernel):
    """y = cast(a op b), the operation being exact, as in nnet_merge.h.

    A tensor with fewer elements than the other one is repeated in C order.

    Attributes:
        operation: one of `OPERATIONS`.
    """

    operation: str

    @property
    @override
    def period(self) -> int:
        return 1

    def __post_init__(self) -> None:
        a, b = (tensor.type for tensor in self.inputs)
        width = a.width + b.width
        if self.operation != "multiply":
            width = max(a.integer, b.integer) + max(a.frac, b.frac) + 2
        if width > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': {self.operation} of {a} and {b} needs more than "
                f"{WORD_BITS} bits; narrow precision.result of the layers before it"
            )

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        fracs = [tensor.type.frac for tensor in self.inputs]
        size = self.output.size
        a, b = (
            x.reshape(len(x), -1)[:, np.arange(size) % tensor.size]
            for x, tensor in zip(inputs, self.inputs, strict=True)
        )
        frac = sum(fracs)
        if self.operation != "multiply":
            frac = max(fracs)
            a, b = a << (frac - fracs[0]), b << (frac - fracs[1])
        match self.operation:
            case "add":
                total = a + b
            case "subtract":
                total = a - b
            case "multiply":
                total = a * b
            case "average":
                total, frac = a + b, frac + 1
            case "maximum":
                total = np.maximum(a, b)
            case _:
                total = np.minimum(a, b)
        return cast(total, frac, self.output.type).reshape(-1, *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        first, second = inputs
        result = []
        for i in range(self.output.size):
            a, b = first[i % len(first)], second[i % len(second)]
            result.append(circuit.cast(self._build_operation(circuit, a, b), self.output.type))
        return result

    def _build_operation(self, circuit: Circuit, a: Word, b: Word) -> Word:
        match self.operation:
            case "add":
                return circuit.sum(((1, a), (1, b)))
            case "subtract":
                return circuit.sum(((1, a), (-1, b)))
            case "multiply":
                return circuit.mul(a, b)
            case "average":
                return circuit.sum(((1, a), (1, b))).scaled(-1)
            case "maximum":
                return circuit.maximum(a, b)
            case _:
                return circuit.minimum(a, b)

    @override
    def operation_counts(self) -> OperationCounts:
        if self.operation != "multiply":
            return OperationCounts()
        a, b = (tensor.type for tensor in self.inputs)
        bops = self.output.size * a.width * b.width
        return OperationCounts(macs=self.output.size, bops=bops, ebops=bops)


@dataclass(frozen=True, eq=False)
class Dot(Kernel):
    """Dot product of two vectors: y = cast(sum of products), as `dot1d` of nnet_merge.h.

    Each product is cast to the accumulator's type before it is added, as there.

    Attributes:
        accum: type of the accumulator.
    """

    accum: FixedType

    def __post_init__(self) -> None:
        a, b = (tensor.type for tensor in self.inputs)
        frac = max(a.frac + b.frac, self.accum.frac)
        products = [x * y for x in (a.min, a.max) for y in (b.min, b.max)]
        low, high = (
            limit(products) * self.inputs[0].size << (frac - a.frac - b.frac)
            for limit in (min, max)
        )
        if max(abs(low), abs(high)).bit_length() > WORD_BITS or self.accum.width > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its sum of products needs more than {WORD_BITS} bits; "
                f"narrow precision.result of the layers before it or {self.layer}.precision.accum"
            )
        # A product that is rounded up is less than one unit of the accumulator greater.
        slack, unit = self.inputs[0].size, 1 << (frac - self.accum.frac)
        fits = (self.accum.lowest + slack) * unit <= low and high <= (self.accum.max - slack) * unit
        if self.accum.overflow is not Overflow.WRAP and not fits:
            raise UnsupportedError(
                f"layer '{self.layer}': its accumulator {self.accum} can saturate in mid-sum, so "
                "the result would depend on the order of summation; set "
                f"{self.layer}.precision.accum='{replace(self.accum, overflow=Overflow.WRAP)}', or "
                "a wider one"
            )

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        a, b = inputs
        frac = sum(tensor.type.frac for tensor in self.inputs)
        total = cast(a * b, frac, self.accum).sum(axis=1, keepdims=True)
        return cast(cast(total, self.accum.frac, self.accum), self.accum.frac, self.output.type)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        products = (circuit.mul(a, b) for a, b in zip(*inputs, strict=True))
        total = circuit.sum((1, circuit.cast(product, self.accum)) for product in products)
        return [circuit.cast(circuit.cast(total, self.accum), self.output.type)]

    @override
    def operation_counts(self) -> OperationCounts:
        a, b = self.inputs
        bops = a.size * a.type.width * b.type.width
        return OperationCounts(macs=a.size, bops=bops, ebops=bops)
