"""Softmax, in hls4ml's four implementations, over slices of a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import InputError
from gatewright.fixed import FixedType, cast, cast_int
from gatewright.kernels.accumulation import total
from gatewright.kernels.elementwise import check_product, non_negative, top_bits
from gatewright.kernels.sliced import Sliced
from gatewright.kernels.table import INT, centred_index, clamped_entry, scaled_index, scaled_to_int
from gatewright.kernels.tree import combine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Softmax(Sliced):
    """Exponentials times the inverse of their sum: `softmax_stable` and `softmax_latency`.

    Both tables are indexed by the top bits of a value. Exponentials are held and summed in the
    accumulator's type, in the order of `reduce` of nnet_common.h.

    Attributes:
        exp_table: raw int64, a power of two of entries.
        exp_type: type of an entry of `exp_table`.
        inv_table: raw int64, a power of two of entries.
        inv_type: type of an entry of `inv_table`.
        accum: type of the exponentials and of their sum.
        inv_input: type whose top bits index `inv_table`.
        norm: type that holds the greatest input minus each input, and whose top bits index
            `exp_table`; None for "latency", where the input itself does.
    """

    exp_table: NDArray[np.int64]
    exp_type: FixedType
    inv_table: NDArray[np.int64]
    inv_type: FixedType
    accum: FixedType
    inv_input: FixedType
    norm: FixedType | None

    def __post_init__(self) -> None:
        for name, table, index in (
            ("exponential", self.exp_table, self._exp_index),
            ("inversion", self.inv_table, self.inv_input),
        ):
            if table.size.bit_count() != 1 or not 2 <= table.size <= 1 << index.width:
                raise InputError(
                    f"layer '{self.layer}': its {name} table of {table.size} entries cannot be "
                    f"indexed by the top bits of {index}; its size must be a power of two from 2 "
                    f"to {1 << index.width}"
                )
        check_product(self.layer, self.accum, self.inv_type)

    @property
    def _exp_index(self) -> FixedType:
        return self.norm or self.inputs[0].type

    @override
    def golden_slices(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.norm is not None:
            x = cast(x.max(axis=-1, keepdims=True) - x, self.inputs[0].type.frac, self.norm)
        exp = self.exp_table[_top_bits(x, self._exp_index, self.exp_table.size)]
        exp = cast(exp, self.exp_type.frac, self.accum)
        whole = combine(
            list(np.moveaxis(exp, -1, 0)), lambda a, b: cast(a + b, self.accum.frac, self.accum)
        )
        index = cast(whole, self.accum.frac, self.inv_input)
        inverse = self.inv_table[_top_bits(index, self.inv_input, self.inv_table.size)]
        product = exp * inverse[..., np.newaxis]
        return cast(product, self.accum.frac + self.inv_type.frac, self.output.type)

    @override
    def build_slice(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        del target
        if self.norm is not None:
            greatest = combine(x, circuit.maximum)
            x = [
                circuit.cast(
                    non_negative(circuit, circuit.sum(((1, greatest), (-1, word)))), self.norm
                )
                for word in x
            ]
        exp_bits = self.exp_table.size.bit_length() - 1
        entries = cast(self.exp_table, self.exp_type.frac, self.accum).tolist()
        exp = [
            circuit.table(
                top_bits(circuit, word, self._exp_index, exp_bits), entries, self.accum.frac
            )
            for word in x
        ]
        index = circuit.cast(total(circuit, exp, self.accum, combine), self.inv_input)
        inv_bits = self.inv_table.size.bit_length() - 1
        inverse = circuit.table(
            top_bits(circuit, index, self.inv_input, inv_bits),
            self.inv_table.tolist(),
            self.inv_type.frac,
        )
        return [circuit.cast(circuit.mul(word, inverse), self.output.type) for word in exp]


@dataclass(frozen=True, eq=False)
class SoftmaxLegacy(Sliced):
    """1 / sum of exp(x_j - x_i) by two tables, as `softmax_legacy` of nnet_activation.h.

    Attributes:
        exp_table: raw int64; covers -8 to 8.
        inv_table: raw int64; covers 0 to 64.
        table_type: type of the entries of both, and of the sums.
    """

    exp_table: NDArray[np.int64]
    inv_table: NDArray[np.int64]
    table_type: FixedType

    @override
    def golden_slices(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        t, size = self.table_type, self.exp_table.size
        difference = x[..., np.newaxis, :] - x[..., :, np.newaxis]  # [..., i, j] = x_j - x_i
        index = cast(scaled_to_int(difference, self.inputs[0].type.frac, size, 16), 0, INT)
        index = np.clip(cast(index + 8 * size // 16, 0, INT), 0, size - 1)
        exp = self.exp_table[index]
        n = self.slice_size
        exp[..., range(n), range(n)] = cast_int(1, 0, t)
        total = np.zeros(x.shape, np.int64)
        for j in range(n):
            total = cast(total + exp[..., j], t.frac, t)
        index = cast(scaled_to_int(total, t.frac, self.inv_table.size, 64), 0, INT)
        entry = self.inv_table[np.clip(index, 0, self.inv_table.size - 1)]
        return cast(entry, t.frac, self.output.type)

    @override
    def build_slice(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        t, source = self.table_type, self.inputs[0].type
        one = circuit.constant(cast_int(1, 0, t), t.frac)
        inverse = cast(self.inv_table, t.frac, self.output.type)
        result = []
        for i, word in enumerate(x):
            terms = []
            for j, other in enumerate(x):
                if i == j:
                    terms.append(one)
                    continue
                difference = circuit.sum(((1, other), (-1, word)))
                index = centred_index(
                    circuit, target, difference, source.frac, self.exp_table.size, 16
                )
                terms.append(clamped_entry(circuit, index, self.exp_table, t))
            total = reduce(lambda a, b: circuit.cast(circuit.sum(((1, a), (1, b))), t), terms)
            index = scaled_index(circuit, target, total, t.frac, self.inv_table.size, 64, INT)
            result.append(clamped_entry(circuit, index, inverse, self.output.type))
        return result


@dataclass(frozen=True, eq=False)
class Argmax(Sliced):
    """1 for the first greatest element of a slice and 0 for the others, as `softmax_argmax`."""

    @override
    def golden_slices(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        first = x.argmax(axis=-1)[..., np.newaxis]
        one = cast_int(1, 0, self.output.type)
        return np.where(np.arange(self.slice_size) == first, one, 0).astype(np.int64)

    def build_slice(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        """See `Sliced.build_slice`: a knock-out tournament that carries a flag per element."""
        del target
        to = self.output.type
        one, zero = circuit.constant(cast_int(1, 0, to), to.frac), circuit.constant(0)

        def play(a: tuple[Word, list[Word]], b: tuple[Word, list[Word]]) -> tuple[Word, list[Word]]:
            b_wins = circuit.compare(">", b[0], a[0])
            flags = [circuit.select(b_wins, zero, flag) for flag in a[1]]
            flags += [circuit.select(b_wins, flag, zero) for flag in b[1]]
            return circuit.select(b_wins, b[0], a[0]), flags

        _, flags = combine([(word, [one]) for word in x], play)
        return flags


def _top_bits(x: NDArray[np.int64], t: FixedType, size: int) -> NDArray[np.int64]:
    """Table index in the top bits of raw values of type `t`."""
    return (x & ((1 << t.width) - 1)) >> (t.width - size.bit_length() + 1)
