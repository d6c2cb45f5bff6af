"""Activations that are arithmetic: comparisons, products, casts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType, Overflow, cast, cast_int
from gatewright.kernels import cmvm
from gatewright.kernels.elementwise import Elementwise, check_product, non_negative

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Linear(Elementwise):
    """y = cast(x), as `linear` of nnet_activation.h; also QKeras' quantized_bits."""

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        return cast(inputs[0], self.source.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        return circuit.cast(x, self.output.type)


@dataclass(frozen=True, eq=False)
class Relu(Elementwise):
    """y = cast(x) where x > 0, else 0, as `relu` of nnet_activation.h."""

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        return cast(np.maximum(inputs[0], 0), self.source.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        to = self.output.type
        if not to.signed and to.overflow is not Overflow.WRAP:
            # Saturation takes every negative value to 0.
            return circuit.cast(x, to)
        return circuit.cast(_rectified(circuit, x), to)


@dataclass(frozen=True, eq=False)
class ClippedRelu(Elementwise):
    """y = cast(x) limited to 0 and `limit`, as `relu1` and `relu6` of nnet_activation.h.

    Attributes:
        limit: 1 or 6; cast on its own, so in a wrapping type it may become something else.
    """

    limit: int

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        to = self.output.type
        frac = max(self.source.frac, 0)
        x = x << (frac - self.source.frac)
        inside = cast(np.maximum(x, 0), frac, to)
        return np.where(x > self.limit << frac, cast_int(self.limit, 0, to), inside)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        to = self.output.type
        limit = circuit.constant(self.limit)
        top = circuit.constant(cast_int(self.limit, 0, to), to.frac)
        rectified = _rectified(circuit, x)
        above = circuit.compare(">", rectified, limit)
        if circuit.value_of(above) == 0:
            return circuit.cast(rectified, to)
        # No value up to the limit has a bit above the limit's.
        high = self.limit.bit_length() - 1 + rectified.frac
        if high < 0:
            inside = circuit.constant(0)
        else:
            inside = circuit.bits(rectified, high, 0).scaled(-rectified.frac)
        return circuit.select(above, top, circuit.cast(inside, to))


@dataclass(frozen=True, eq=False)
class LeakyRelu(Elementwise):
    """y = cast(x) where x > 0, else cast(alpha * x), as `leaky_relu` and `prelu`.

    Attributes:
        alpha: raw int64: one value for all elements (leaky_relu), or one per element (prelu).
        alpha_type: type of `alpha`.
    """

    alpha: NDArray[np.int64]
    alpha_type: FixedType

    @property
    @override
    def period(self) -> int:
        return self.alpha.size

    def __post_init__(self) -> None:
        check_product(self.layer, self.source, self.alpha_type)
        if self.alpha.size not in (1, self.output.size):
            raise InputError(
                f"layer '{self.layer}': {self.alpha.size} slopes for {self.output.size} elements; "
                "there must be one, or one per element"
            )

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        alpha = np.broadcast_to(self.alpha.ravel(), self.output.size).reshape(self.output.shape)
        to = self.output.type
        scaled = cast(alpha * np.minimum(x, 0), self.source.frac + self.alpha_type.frac, to)
        return np.where(x > 0, cast(x, self.source.frac, to), scaled)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        to = self.output.type
        alpha = int(self.alpha.ravel()[element % self.alpha.size])
        scaled = cmvm.product(circuit, target, x, alpha, self.alpha_type.frac, "latency")
        positive = circuit.cast(non_negative(circuit, x), to)
        return circuit.select(
            circuit.compare(">=", x, circuit.constant(0)), positive, circuit.cast(scaled, to)
        )

    @override
    def tabulated(self, target: Target) -> int:
        return target.fabric.table_inputs


@dataclass(frozen=True, eq=False)
class ThresholdedRelu(Elementwise):
    """y = cast(x) where x > theta, else 0, as `thresholded_relu` of nnet_activation.h.

    Attributes:
        theta: raw threshold.
        theta_type: type of `theta`.
    """

    theta: int
    theta_type: FixedType

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        # x > theta for integers x just when x > floor(theta) in units of x.
        shift = self.theta_type.frac - self.source.frac
        threshold = self.theta >> shift if shift >= 0 else self.theta << -shift
        kept = np.where(x > min(max(threshold, self.source.min - 1), self.source.max), x, 0)
        return cast(kept, self.source.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        theta = circuit.constant(self.theta, self.theta_type.frac)
        above = circuit.compare(">", x, theta)
        kept = non_negative(circuit, x) if self.theta >= 0 else x
        return circuit.select(above, circuit.cast(kept, self.output.type), circuit.constant(0))

    @override
    def tabulated(self, target: Target) -> int:
        return target.fabric.table_inputs


@dataclass(frozen=True, eq=False)
class HardSigmoid(Elementwise):
    """y = cast(slope * x + shift limited to 0 and 1), as `hard_sigmoid` of nnet_activation.h.

    Attributes:
        slope: raw slope.
        slope_type: type of `slope`.
        shift: raw shift.
        shift_type: type of `shift`.
    """

    slope: int
    slope_type: FixedType
    shift: int
    shift_type: FixedType

    def __post_init__(self) -> None:
        check_product(self.layer, self.source, self.slope_type)
        if max(self.source.frac + self.slope_type.frac, self.shift_type.frac) < 0:
            raise UnsupportedError(
                f"layer '{self.layer}': slope * x + shift has no unit that can hold 1; give "
                f"the input or the shift a fractional bit"
            )

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        product_frac = self.source.frac + self.slope_type.frac
        frac = max(product_frac, self.shift_type.frac, 0)
        line = inputs[0] * self.slope << (frac - product_frac)
        line = line + (self.shift << (frac - self.shift_type.frac))
        return cast(self._finish(np.clip(line, 0, 1 << frac), frac), frac, self.output.type)

    def _finish(self, unit: NDArray[np.int64], frac: int) -> NDArray[np.int64]:
        del frac
        return unit

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del element
        product = cmvm.product(circuit, target, x, self.slope, self.slope_type.frac, "latency")
        line = circuit.sum(((1, product), (1, circuit.constant(self.shift, self.shift_type.frac))))
        zero, one = circuit.constant(0), circuit.constant(1)
        above = circuit.compare(">", line, one)
        negative = circuit.compare("<", line, zero)
        inside = non_negative(circuit, line)
        if circuit.value_of(above) != 0:
            high = max(inside.frac, 0)
            inside = circuit.bits(inside, high, 0).scaled(-inside.frac)
        return circuit.select(
            above,
            self._build_end(circuit, one),
            circuit.select(
                negative, self._build_end(circuit, zero), self._build_end(circuit, inside)
            ),
        )

    def _build_end(self, circuit: Circuit, unit: Word) -> Word:
        return circuit.cast(unit, self.output.type)

    @override
    def tabulated(self, target: Target) -> int:
        return target.fabric.table_inputs


@dataclass(frozen=True, eq=False)
class HardTanh(HardSigmoid):
    """y = cast(2 * s - 1), s being `HardSigmoid` before its cast, as `hard_tanh`."""

    def _finish(self, unit: NDArray[np.int64], frac: int) -> NDArray[np.int64]:
        return 2 * unit - (1 << frac)

    def _build_end(self, circuit: Circuit, unit: Word) -> Word:
        doubled = circuit.sum(((1, unit.scaled(1)), (-1, circuit.constant(1))))
        return circuit.cast(doubled, self.output.type)


@dataclass(frozen=True, eq=False)
class BinaryTanh(Elementwise):
    """y = 1 where x >= 0, else -1, as `binary_tanh` of nnet_activation.h.

    Attributes:
        xnor: the output is hls4ml's `ap_uint<1>`, in which 0 stands for -1.
    """

    xnor: bool = False

    def _levels(self) -> tuple[int, int]:
        to = self.output.type
        return 0 if self.xnor else cast_int(-1, 0, to), cast_int(1, 0, to)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        low, high = self._levels()
        return np.where(inputs[0] >= 0, high, low).astype(np.int64)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        low, high = (circuit.constant(level, self.output.type.frac) for level in self._levels())
        return circuit.select(circuit.compare(">=", x, circuit.constant(0)), high, low)


@dataclass(frozen=True, eq=False)
class TernaryTanh(Elementwise):
    """y = 1, 0 or -1 for 2x beyond 1, between, and up to -1, as `ternary_tanh`.

    2x is held in the input's own type, where it may wrap or saturate.
    """

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        doubled = cast(inputs[0] * 2, self.source.frac, self.source)
        low, zero, high = (cast_int(level, 0, self.output.type) for level in (-1, 0, 1))
        # Integers that lie beyond 1 or above -1 in units of 2**-frac, which may exceed 1.
        frac = self.source.frac
        one = 1 << frac if frac >= 0 else 0
        minus_one = -1 << frac if frac >= 0 else -1
        above = np.where(doubled > one, high, zero)
        return np.where(doubled > minus_one, above, low).astype(np.int64)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del target, element
        to = self.output.type
        doubled = circuit.cast(x.scaled(1), self.source)
        low, zero, high = (circuit.constant(cast_int(n, 0, to), to.frac) for n in (-1, 0, 1))
        above = circuit.compare(">", doubled, circuit.constant(1))
        middle = circuit.compare(">", doubled, circuit.constant(-1))
        return circuit.select(middle, circuit.select(above, high, zero), low)

    @override
    def tabulated(self, target: Target) -> int:
        return target.fabric.table_inputs


def _rectified(circuit: Circuit, x: Word) -> Word:
    """The word, or 0 where it is negative."""
    if x.lo >= 0:
        return x
    sign = circuit.compare(">=", x, circuit.constant(0))
    return circuit.select(sign, non_negative(circuit, x), circuit.constant(0))
