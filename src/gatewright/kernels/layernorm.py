"""Layer normalization over the last axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding, cast, from_float
from gatewright.kernels import cmvm
from gatewright.kernels.accumulation import in_order, total
from gatewright.kernels.kernel import OperationCounts
from gatewright.kernels.sliced import Sliced
from gatewright.kernels.table import scaled_to_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: Bounds of where the table ends, as powers of two, and of epsilon: what the C++ has bits for.
_MOST_REACH, _MOST_DECIMALS = 28, 9


@dataclass(frozen=True, eq=False)
class LayerNorm(Sliced):
    """y = (x - mean) / sqrt(variance + epsilon) * scale + bias.

    It is `layernorm_1d` of nnet_layernorm.h as `emulation.mended_headers` has it. Sums, mean,
    differences, squares, variance and its sum with epsilon are each cast to the accumulator's type.
    The last, shifted left by two bits at a time until it is a quarter of the table's range or more,
    indexes the table of inverse roots; the entry is shifted left by one for each time. The rest is
    exact until it is cast to the result's type.

    Attributes:
        scale: raw int64 of shape (n,), an entry per element of a slice.
        bias: raw int64 of shape (n,).
        scale_type: type of `scale`.
        bias_type: type of `bias`.
        accum: type of all that is computed before the table.
        table: raw int64, 1 / sqrt of 0 to 2**reach.
        table_type: type of an entry, before and after the shift.
        reach: the table ends there, as a power of two; greater sums take its last entry.
        decimals: epsilon is 10**-decimals.
    """

    scale: NDArray[np.int64]
    bias: NDArray[np.int64]
    scale_type: FixedType
    bias_type: FixedType
    accum: FixedType
    table: NDArray[np.int64]
    table_type: FixedType
    reach: int
    decimals: int

    def __post_init__(self) -> None:
        if self.table.size < 1 or abs(self.reach) > _MOST_REACH:
            raise InputError(
                f"layer '{self.layer}': its table of variances is empty, or does not end between "
                f"2**-{_MOST_REACH} and 2**{_MOST_REACH}"
            )
        if not 0 < self.decimals <= _MOST_DECIMALS:
            raise InputError(
                f"layer '{self.layer}': its epsilon is not between 1e-{_MOST_DECIMALS} and 0.1"
            )
        widest = self.accum.width + self.table_type.width + self.scale_type.width
        index = max(self.accum.width, self.reach + self.accum.frac) + self._factor.bit_length()
        shifted = self.table_type.width + self.shifts
        bias = self.bias_type.integer + self._frac
        if max(widest, 2 * self.accum.width, index, shifted, bias) >= WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its products need more than {WORD_BITS} bits; narrow "
                f"{self.layer}.precision.accum, {self.layer}.precision.table or "
                f"{self.layer}.precision.scale"
            )

    @property
    def shifts(self) -> int:
        """The greatest number of shifts: with them, epsilon is a quarter of the range or more."""
        return max((self.reach - 1 + (10 * self.decimals + 2) // 3) // 2, 0)

    @property
    def _frac(self) -> int:
        """Fractional bits that hold products and biases alike."""
        product = self.accum.frac + self.table_type.frac + self.scale_type.frac
        return max(product, self.bias_type.frac)

    @property
    def _inverse(self) -> int:
        """The raw inverse of the size of a slice, in the accumulator's type."""
        return int(from_float(np.array(1.0 / self.slice_size), self.accum))

    @property
    def _epsilon(self) -> int:
        """Raw epsilon, in the accumulator's type."""
        return int(from_float(np.array(10.0**-self.decimals), self.accum))

    @property
    def _factor(self) -> int:
        """An index is a sum times this number, over `_divisor`."""
        return self.table.size << max(-self.reach, 0)

    @property
    def _divisor(self) -> int:
        return 1 << max(self.reach, 0)

    @property
    def _limits(self) -> list[int]:
        """Raw sums below which one shift, two shifts and so on are needed."""
        first = self.accum.frac + self.reach - 2
        return [1 << max(first - 2 * shift, 0) for shift in range(self.shifts)]

    @override
    def golden_slices(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        accum = self.accum

        def mean(values: NDArray[np.int64]) -> NDArray[np.int64]:
            found = np.zeros(values.shape[:-1], np.int64)
            for element in np.moveaxis(values, -1, 0):
                found = cast(found + element, accum.frac, accum)
            return cast(found * self._inverse, 2 * accum.frac, accum)

        x = cast(x, self.inputs[0].type.frac, accum)
        difference = cast(x - mean(x)[..., np.newaxis], accum.frac, accum)
        variance = mean(cast(difference * difference, 2 * accum.frac, accum))
        positive = np.maximum(cast(variance + self._epsilon, accum.frac, accum), 0)
        shifts = (positive[..., np.newaxis] < np.array(self._limits, np.int64)).sum(axis=-1)
        index = scaled_to_int(positive << 2 * shifts, accum.frac, self._factor, self._divisor)
        entry = self.table[np.minimum(index, self.table.size - 1)] << shifts
        entry = cast(entry, self.table_type.frac, _wrapping(self.table_type))
        product = difference * entry[..., np.newaxis] * self.scale
        product <<= self._frac - accum.frac - self.table_type.frac - self.scale_type.frac
        bias = self.bias << (self._frac - self.bias_type.frac)
        return cast(product + bias, self._frac, self.output.type)

    @override
    def build_slice(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        accum = self.accum

        def product(word: Word, factor: int, frac: int) -> Word:
            return cmvm.product(circuit, target, word, factor, frac, "latency")

        def mean(words: Sequence[Word]) -> Word:
            whole = total(circuit, words, accum, in_order)
            return circuit.cast(product(whole, self._inverse, accum.frac), accum)

        x = [circuit.cast(word, accum) for word in x]
        middle = mean(x)
        difference = [circuit.cast(circuit.sum(((1, word), (-1, middle))), accum) for word in x]
        variance = mean([circuit.cast(circuit.mul(word, word), accum) for word in difference])
        epsilon = circuit.constant(self._epsilon, accum.frac)
        inverse = self._build_root(
            circuit,
            target,
            circuit.cast(circuit.sum(((1, variance), (1, epsilon))), accum),
        )
        result = []
        for word, scale, bias in zip(difference, self.scale, self.bias, strict=True):
            scaled = product(circuit.mul(word, inverse), int(scale), self.scale_type.frac)
            constant = circuit.constant(int(bias), self.bias_type.frac)
            result.append(circuit.cast(circuit.sum(((1, scaled), (1, constant))), self.output.type))
        return result

    def _build_root(self, circuit: Circuit, target: Target, x: Word) -> Word:
        """The circuit of 1 / sqrt(x)."""
        bits = max(1, (self.table.size - 1).bit_length())
        x = circuit.maximum(x, circuit.constant(0))
        steps = cmvm.product(circuit, target, x, self._factor, 0, "latency")
        steps = steps.scaled(-(self._divisor.bit_length() - 1))

        def index(shift: int, overflow: Overflow) -> Word:
            return circuit.cast(
                steps.scaled(2 * shift), FixedType(bits, bits, False, Rounding.TRN, overflow)
            )

        below = [
            circuit.compare("<", x, circuit.constant(limit, self.accum.frac))
            for limit in self._limits
        ]
        # Where it is chosen, a shifted one is less than the range: bits beyond the index are zero.
        chosen = index(self.shifts, Overflow.WRAP if self.shifts else Overflow.SAT)
        for shift in reversed(range(self.shifts)):
            other = index(shift, Overflow.WRAP if shift else Overflow.SAT)
            chosen = circuit.select(below[shift], chosen, other)
        known = circuit.value_of(chosen)
        if known is not None:
            chosen = circuit.constant(known, chosen.frac)  # which drops fractional zeros
        padded = np.pad(self.table, (0, (1 << bits) - self.table.size), mode="edge")
        entry = circuit.table(chosen, padded.tolist(), self.table_type.frac)
        shifted = entry.scaled(self.shifts)
        for shift in reversed(range(self.shifts)):
            shifted = circuit.select(below[shift], shifted, entry.scaled(shift))
        return circuit.cast(shifted, _wrapping(self.table_type))

    @override
    def operation_counts(self) -> OperationCounts:
        size = self.inputs[0].size
        parameters = self.scale.size + self.bias.size
        return OperationCounts(
            macs=3 * size,  # a square, and two factors
            weights=self.scale.size,
            nonzero=int(np.count_nonzero(self.scale)),
            parameters=parameters,
            weight_bits=self.scale.size * self.scale_type.width
            + self.bias.size * self.bias_type.width,
        )


def _wrapping(to: FixedType) -> FixedType:
    """A type whose values lose the bits that are shifted out of them."""
    return replace(to, overflow=Overflow.WRAP)
