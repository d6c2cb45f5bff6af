"""Pooling: the maximum or the average of windows of an image, or of all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import (
    WORD_BITS,
    FixedType,
    Overflow,
    Rounding,
    cast,
    is_lossless,
    narrowest_type,
)
from gatewright.kernels import cmvm
from gatewright.kernels.activation import Linear
from gatewright.kernels.elementwise import Elementwise
from gatewright.kernels.kernel import Kernel
from gatewright.kernels.tree import combine
from gatewright.kernels.windowed import Windowed, image_shape
from gatewright.tensor import Tensor
from gatewright.units import Accumulate, CircuitUnit, Datapath, Maximum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

_T = TypeVar("_T")

POOLINGS = ("max", "average")

#: Orders in which the C++ adds: one after the other, or as a tree of pairs.
ORDERS = ("sequence", "tree")


@dataclass(frozen=True, eq=False)
class Quotient(Elementwise):
    """y = cast(x / divisor), the quotient being truncated towards zero in the unit of x.

    Attributes:
        divisor: at least 1.
    """

    divisor: int

    def __post_init__(self) -> None:
        factor, _ = self._reciprocal(max(-self.source.min, self.source.max))
        if self.source.width + factor.bit_length() > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': {self.source} is too wide to be divided by {self.divisor}; "
                f"narrow {self.layer}.precision.accum"
            )

    def _reciprocal(self, largest: int) -> tuple[int, int]:
        """(m, s) such that x / divisor, truncated, is x * m / 2**s, truncated, up to `largest`.

        With m the next integer above 2**s / divisor, which is e / divisor too great, that holds
        while x * e < 2**s (Granlund and Montgomery, 1994).
        """
        shift = 0
        while True:
            factor = -(-(1 << shift) // self.divisor)
            if largest * (factor * self.divisor - (1 << shift)) < 1 << shift:
                return factor, shift
            shift += 1

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        quotient = np.sign(x) * (np.abs(x) // self.divisor)
        return cast(quotient, self.source.frac, self.output.type)

    @override
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        del element
        unit = x.scaled(self.source.frac)
        factor, shift = self._reciprocal(max(-unit.lo, unit.hi) << max(-unit.frac, 0))
        product = cmvm.product(circuit, target, unit, factor, shift, "latency")
        whole = FixedType(WORD_BITS, WORD_BITS, True, Rounding.TRN_ZERO)
        quotient = circuit.cast(product, whole).scaled(-self.source.frac)
        return circuit.cast(quotient, self.output.type)


@dataclass(frozen=True, eq=False)
class GlobalPooling(Kernel):
    """The maximum or the average of all pixels, as `max` and `avg` of nnet_pooling.h.

    The output is of shape (channels,); the input is any number of pixels of as many channels, in C
    order. A sum is cast to the accumulator after each addition. The quotient is truncated towards
    zero in the accumulator's unit.

    Attributes:
        operation: one of `POOLINGS`.
        accum: type of the accumulator; a maximum is cast to it, too.
        divisor: what the sum is divided by, for an average.
        cast_first: whether elements are cast to the accumulator's type before they are compared or
            added, as in streams.
        order: of the additions, one of `ORDERS`; a tree's terms are cast first.
    """

    operation: str
    accum: FixedType
    divisor: int
    cast_first: bool
    order: str = "sequence"

    def __post_init__(self) -> None:
        if self.order == "tree" and not self.cast_first:
            raise ValueError("a tree adds terms of the accumulator's type: cast_first is wanted")
        source = self.inputs[0].type
        largest = self.pixels * max(-source.min, source.max) << max(
            0, self.accum.frac - source.frac
        )
        if max(largest.bit_length(), self.accum.width) + 1 > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its sums need more than {WORD_BITS} bits; "
                f"narrow the result of the layer before it or {self.layer}.precision.accum"
            )
        _ = self.quotient  # refuses what is too wide

    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: pixel by pixel, unless all pixels come at once.

        A sum that depends on the order of its casts has all pixels gathered.
        """
        channels, source = self.output.shape[-1], self.inputs[0].type
        if lanes[0] == self.inputs[0].size or (self.operation == "average" and not self._exact):
            return super().datapath(lanes)
        pixel = replace(self.inputs[0], shape=(channels,))
        if self.operation == "max":
            # The greatest of the elements as they come, or of their casts, is cast at the end.
            of_one = replace(self, inputs=(pixel,))
            if not self.cast_first:
                return Datapath(
                    (channels,), (Maximum(self.pixels), CircuitUnit((of_one,))), channels
                )
            accums = replace(pixel, type=self.accum)
            before = CircuitUnit((Linear(self.layer, (pixel,), accums),))
            after = CircuitUnit((replace(of_one, inputs=(accums,)),))
            return Datapath((channels,), (before, Maximum(self.pixels), after), channels)
        low, high = self.pixels * source.min, self.pixels * source.max
        total = narrowest_type(low, high, source.frac, signed=True)
        terms = narrowest_type(source.min, source.max, source.frac, signed=True)
        signed = CircuitUnit((Linear(self.layer, (pixel,), replace(pixel, type=terms)),))
        bias = (((0,) * channels),)
        add = Accumulate(self.pixels, total, ((low, high),) * channels, bias)
        sums = replace(pixel, type=total)
        accums = replace(pixel, type=self.accum)
        mean = CircuitUnit((Linear(self.layer, (sums,), accums), self.quotient))
        return Datapath((channels,), (signed, add, mean), channels)

    @property
    def pixels(self) -> int:
        """Number of pixels that are pooled."""
        return self.inputs[0].size // self.output.shape[-1]

    @cached_property
    def quotient(self) -> Quotient:
        """What is done with the sums."""
        sums = Tensor(self.output.name, self.output.shape, self.accum)
        return Quotient(self.layer, (sums,), self.output, self.divisor)

    @property
    def _exact(self) -> bool:
        """Whether the sum does not depend on the order of additions and casts."""
        source = self.inputs[0].type
        wraps = self.accum.overflow is Overflow.WRAP and self.accum.frac >= source.frac
        ends = self.pixels * source.min, self.pixels * source.max
        return wraps or is_lossless(*ends, source.frac, self.accum)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        source = self.inputs[0].type
        by_pixel = x.reshape(len(x), self.pixels, -1)
        if self.operation == "max":
            if self.cast_first:
                greatest = cast(by_pixel, source.frac, self.accum).max(axis=1)
            else:
                greatest = cast(by_pixel.max(axis=1), source.frac, self.accum)
            return cast(greatest, self.accum.frac, self.output.type)
        if self._exact:
            total = cast(by_pixel.sum(axis=1), source.frac, self.accum)
        else:
            total = self._rounded_sum(by_pixel)
        return self.quotient.golden(total)

    def _rounded_sum(self, by_pixel: NDArray[np.int64]) -> NDArray[np.int64]:
        terms, frac = by_pixel.swapaxes(0, 1), self.inputs[0].type.frac
        if self.cast_first:
            terms, frac = cast(terms, frac, self.accum), self.accum.frac
        fine = max(frac, self.accum.frac)

        def add(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
            exact = (a << (fine - self.accum.frac)) + (b << (fine - frac))
            return cast(exact, fine, self.accum)

        return self._combined(list(terms), np.zeros_like(terms[0]), add)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        channels = self.output.shape[-1]
        columns = [inputs[0][channel::channels] for channel in range(channels)]
        if self.operation == "max":
            return [
                circuit.cast(self._build_maximum(circuit, column), self.output.type)
                for column in columns
            ]
        sums = [self._build_sum(circuit, column) for column in columns]
        return self.quotient.build(circuit, target, sums)

    def _build_maximum(self, circuit: Circuit, column: Sequence[Word]) -> Word:
        if self.cast_first:
            return combine([circuit.cast(word, self.accum) for word in column], circuit.maximum)
        return circuit.cast(combine(column, circuit.maximum), self.accum)

    def _build_sum(self, circuit: Circuit, column: Sequence[Word]) -> Word:
        if self._exact:
            return circuit.cast(circuit.sum((1, word) for word in column), self.accum)
        if self.cast_first:
            column = [circuit.cast(word, self.accum) for word in column]

        def add(a: Word, b: Word) -> Word:
            return circuit.cast(circuit.sum(((1, a), (1, b))), self.accum)

        return self._combined(column, circuit.constant(0), add)

    def _combined(self, terms: Sequence[_T], zero: _T, add: Callable[[_T, _T], _T]) -> _T:
        if self.order == "tree":
            return combine(terms, add)
        return reduce(add, terms, zero)


@dataclass(frozen=True, eq=False)
class Pooling(Windowed):
    """The maximum or the average of each window, as `pooling2d_cl` of nnet_pooling.h.

    Streams cast the elements first and add them as a tree. In a maximum, padding has the value of
    which the top bit alone is set: the least one of a signed type, but half the range of an
    unsigned one.

    Attributes:
        operation: one of `POOLINGS`.
        accum: as of `GlobalPooling`.
        count_pads: whether an average divides by the size of the window even where it overlaps the
            padding.
        cast_first: as of `GlobalPooling`.
    """

    operation: str
    accum: FixedType
    count_pads: bool
    cast_first: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self._overlaps().all():
            raise UnsupportedError(f"layer '{self.layer}': some of its windows are all padding")
        _ = self.functions  # refuses what can't be exact

    @property
    @override
    def pad_value(self) -> int:
        to = self.inputs[0].type
        return 0 if self.operation == "average" else to.min if to.signed else 1 << (to.width - 1)

    def _overlaps(self) -> NDArray[np.int64]:
        """Number of pixels of the image in each window, in C order."""
        height, width, channels = image_shape(self.inputs[0])
        inside = np.ones((1, height, width, channels), np.int64)
        counts: NDArray[np.int64] = self._windows(inside, pad=0)[0, :, ::channels].sum(axis=1)
        return counts

    @cached_property
    @override
    def functions(self) -> tuple[tuple[Kernel, tuple[int, ...]], ...]:
        counts = self._overlaps()
        if self.operation == "max" or self.count_pads:
            counts = np.full_like(counts, self.window[0] * self.window[1])
        return tuple(
            (
                GlobalPooling(
                    self.layer,
                    (self.window_tensor,),
                    self.pixel_tensor,
                    operation=self.operation,
                    accum=self.accum,
                    divisor=divisor,
                    cast_first=self.cast_first,
                    order="tree" if self.cast_first else "sequence",
                ),
                tuple(np.flatnonzero(counts == divisor).tolist()),
            )
            for divisor in np.unique(counts).tolist()
        )
