"""Activations that look up a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow, Rounding, cast
from gatewright.kernels import cmvm
from gatewright.kernels.elementwise import Elementwise, check_product, non_negative, top_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: C++ `int` and `unsigned`, as `ap_fixed` converts to them.
INT = FixedType(32, 32, True, Rounding.TRN_ZERO)
_UNSIGNED = FixedType(32, 32, False, Rounding.TRN_ZERO)

#: The factor of selu's positive branch: 1.0507009873554805 as ap_ufixed<16,1> holds it.
_LAMBDA, _LAMBDA_TYPE = 34429, FixedType(16, 1, False)


@dataclass(frozen=True, eq=False)
class _Lookup(Elementwise):
    """A table and the type of its entries.

    Attributes:
        table: raw int64 of shape (n,).
        table_type: type of an entry.
    """

    table: NDArray[np.int64]
    table_type: FixedType

    def __post_init__(self) -> None:
        # The index is the input times the number of entries, before it is divided.
        check_product(self.layer, self.source, FixedType(self.table.size.bit_length(), 1))

    def tabulated(self, target: Target) -> int:
        """See `Elementwise.tabulated`: an input with no more values than the table has entries."""
        return max(target.fabric.table_inputs, self.table.size.bit_length() - 1)


@dataclass(frozen=True, eq=False)
class Lookup(_Lookup):
    """y = cast(table[x]), the table covering an interval centred at 0.

    As `sigmoid`, `softplus` and `softsign` (reach 16) and `tanh` (reach 8) of nnet_activation.h,
    which round the index towards zero and clamp it to the table.

    Attributes:
        reach: width of the interval.
    """

    reach: int

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        index = scaled_to_int(inputs[0], self.source.frac, self.table.size, self.reach)
        centre = self.reach // 2 * self.table.size // self.reach
        index = cast(cast(index, 0, INT) + centre, 0, INT)
        entry = self.table[np.clip(index, 0, self.table.size - 1)]
        return cast(entry, self.table_type.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del element
        index = centred_index(circuit, target, x, self.source.frac, self.table.size, self.reach)
        entries = cast(self.table, self.table_type.frac, self.output.type)
        return clamped_entry(circuit, index, entries, self.output.type)


@dataclass(frozen=True, eq=False)
class Elu(_Lookup):
    """y = cast(x) where x >= 0, else cast(alpha * table[-x]), as `elu` of nnet_activation.h.

    Attributes:
        alpha: raw factor.
        alpha_type: type of `alpha`.
    """

    alpha: int
    alpha_type: FixedType

    def __post_init__(self) -> None:
        super().__post_init__()
        check_product(self.layer, self.alpha_type, self.table_type)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        index = scaled_to_int(-np.minimum(x, 0), self.source.frac, self.table.size, 8)
        # The C++ compares as unsigned: an index that has become negative ends up at the far end.
        index = np.minimum(cast(index, 0, _UNSIGNED), self.table.size - 1)
        frac = self.alpha_type.frac + self.table_type.frac
        curve = cast(self.alpha * self.table[index], frac, self.output.type)
        return np.where(x >= 0, cast(x, self.source.frac, self.output.type), curve)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del element
        frac = self.alpha_type.frac + self.table_type.frac
        entries = cast(self.alpha * self.table, frac, self.output.type)
        return circuit.select(
            circuit.compare(">=", x, circuit.constant(0)),
            circuit.cast(non_negative(circuit, x), self.output.type),
            _falling_entry(circuit, target, self, x, _UNSIGNED, entries),
        )


@dataclass(frozen=True, eq=False)
class Selu(_Lookup):
    """y = cast(slope * x) where x >= 0, else cast(table[-x]), as `selu` of nnet_activation.h.

    Attributes:
        slope: raw factor of inputs that are not negative; as in io_parallel unless given.
        slope_type: type of `slope`.
    """

    slope: int = _LAMBDA
    slope_type: FixedType = _LAMBDA_TYPE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_product(self.layer, self.source, self.slope_type)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        to = self.output.type
        index = scaled_to_int(-np.minimum(x, 0), self.source.frac, self.table.size, 8)
        index = np.clip(cast(index, 0, INT), 0, self.table.size - 1)
        line = cast(np.maximum(x, 0) * self.slope, self.source.frac + self.slope_type.frac, to)
        return np.where(x >= 0, line, cast(self.table[index], self.table_type.frac, to))

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del element
        to = self.output.type
        entries = cast(self.table, self.table_type.frac, to)
        positive = non_negative(circuit, x)
        frac = self.slope_type.frac
        line = cmvm.product(circuit, target, positive, self.slope, frac, "latency")
        return circuit.select(
            circuit.compare(">=", x, circuit.constant(0)),
            circuit.cast(line, to),
            _falling_entry(circuit, target, self, x, INT, entries),
        )


@dataclass(frozen=True, eq=False)
class UnaryLut(_Lookup):
    """y = cast(table[bits of x]), as `unary_lut` of nnet_activation.h.

    The table has an entry for every value of the input, those of negative values last.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table.size != 1 << self.source.width:
            raise InputError(
                f"layer '{self.layer}': a table of {self.table.size} entries for an input of type "
                f"{self.source}, which has {1 << self.source.width} values"
            )

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        # A negative value indexes from the end.
        return cast(self.table[inputs[0]], self.table_type.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        entries = cast(self.table, self.table_type.frac, self.output.type)
        index = top_bits(circuit, x, self.source, self.source.width)
        return circuit.table(index, entries.tolist(), self.output.type.frac)


def scaled_to_int(x: NDArray[np.int64], frac: int, factor: int, divisor: int) -> NDArray[np.int64]:
    """The C++ `int(x * factor / divisor)` before it is cut to 32 bits.

    Both the division, in units of x, and the conversion round towards zero.

    Args:
        x: raw int64 in units of 2**-frac.
        frac: fractional bits of x.
        factor: entries of a table.
        divisor: what they cover.
    """
    product = x * factor
    quotient = np.abs(product) // divisor
    quotient = quotient >> frac if frac >= 0 else quotient << -frac
    return np.where(product < 0, -quotient, quotient)


def scaled_index(
    circuit: Circuit,
    target: Target,
    x: Word,
    frac: int,
    factor: int,
    divisor: int,
    integer: FixedType,
) -> Word:
    """The circuit of `scaled_to_int`, cut to an integer type; `divisor` is a power of two."""
    quotient = cmvm.product(circuit, target, x, factor, 0, "latency")
    quotient = quotient.scaled(1 - divisor.bit_length())
    if frac < 0:
        quotient = circuit.cast(quotient, FixedType(63, 63 - frac, True, Rounding.TRN_ZERO))
    return circuit.cast(quotient, integer)


def centred_index(
    circuit: Circuit, target: Target, x: Word, frac: int, size: int, reach: int
) -> Word:
    """The index, not clamped, of x in a table of `size` entries from -reach/2 to reach/2."""
    offset = scaled_index(circuit, target, x, frac, size, reach, INT)
    centre = circuit.constant(reach // 2 * size // reach)
    return circuit.cast(circuit.sum(((1, offset), (1, centre))), INT)


def clamped_entry(
    circuit: Circuit, index: Word, entries: NDArray[np.int64], entry_type: FixedType
) -> Word:
    """The entry at an index that is clamped to the table."""
    bits = max(1, (entries.size - 1).bit_length())
    # Up to a power of two the last entry repeats, so that saturation clamps.
    padded = np.pad(entries, (0, (1 << bits) - entries.size), mode="edge")
    limited = circuit.cast(index, FixedType(bits, bits, False, Rounding.TRN, Overflow.SAT))
    value = circuit.value_of(limited)
    if value is not None:
        limited = circuit.constant(value, limited.frac)  # which drops fractional zeros
    return circuit.table(limited, padded.tolist(), entry_type.frac)


def _falling_entry(
    circuit: Circuit,
    target: Target,
    kernel: _Lookup,
    x: Word,
    integer: FixedType,
    entries: NDArray[np.int64],
) -> Word:
    """The entry at -x * size / 8 of a table from 0 down to -8, given that x is negative."""
    magnitude = non_negative(circuit, circuit.sum(((-1, x),)))
    index = scaled_index(circuit, target, magnitude, kernel.source.frac, entries.size, 8, integer)
    return clamped_entry(circuit, index, entries, kernel.output.type)
