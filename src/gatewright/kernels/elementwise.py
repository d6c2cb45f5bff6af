"""Kernels that work on one element at a time."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from gatewright.circuit import Circuit
from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, width_of
from gatewright.kernels.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewright.circuit import Word
    from gatewright.fixed import FixedType
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Elementwise(Kernel):
    """Output element i is a function of input element i alone."""

    elementwise: ClassVar[bool] = True

    @property
    def period(self) -> int:
        """See `Kernel.period`; the number of parameters, where elements have one each."""
        return 1

    @property
    def source(self) -> FixedType:
        """Type of the input."""
        return self.inputs[0].type

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        widest = self.tabulated(target)
        result = []
        for element, word in enumerate(inputs[0]):

            def function(where: Circuit, x: Word, element: int = element) -> Word:
                return self.build_element(where, target, x, element)

            narrow = width_of(word.lo, word.hi) <= widest
            result.append(tabulate(circuit, word, function) if narrow else function(circuit, word))
        return result

    @abstractmethod
    def build_element(self, circuit: Circuit, target: Target, x: Word, element: int) -> Word:
        """Add the function of one element to a circuit."""

    def tabulated(self, target: Target) -> int:
        """Widest input in bits for which a table is no dearer than the function's operations."""
        del target
        return 0


def check_product(layer: str, a: FixedType, b: FixedType) -> None:
    """Refuse a product that golden outputs, held in int64, have no room for.

    Raises:
        UnsupportedError: if the product is too wide.
    """
    if a.width + b.width > WORD_BITS:
        raise UnsupportedError(
            f"layer '{layer}': a product of {a} and {b} is wider than {WORD_BITS} bits; "
            "narrow precision.result of the layer before it"
        )


def tabulate(circuit: Circuit, word: Word, function: Callable[[Circuit, Word], Word]) -> Word:
    """One table, indexed by the bits of a word, in place of a function's operations.

    The contents are what the operations compute. Entries that no value of the word reaches repeat
    a neighbour, which keeps the table's range tight.
    """
    if circuit.value_of(word) is not None:
        return function(circuit, word)
    operations = Circuit()
    result = function(operations, operations.input(0, 0, word.lo, word.hi, word.frac))
    operations.outputs = [result.node]
    reachable = np.arange(word.lo, word.hi + 1)
    entries = operations.evaluate(reachable[:, np.newaxis])[:, 0]
    width = width_of(word.lo, word.hi)
    contents = np.full(1 << width, entries[-1])
    contents[reachable & ((1 << width) - 1)] = entries
    return circuit.table(circuit.bits(word, width - 1, 0), contents.tolist(), result.frac)


def non_negative(circuit: Circuit, word: Word) -> Word:
    """The word, given that its value is not negative where the result is used; drops the sign."""
    if word.lo >= 0:
        return word
    if word.hi <= 0:
        return circuit.constant(0)
    return circuit.bits(word, word.hi.bit_length() - 1, 0).scaled(-word.frac)


def top_bits(circuit: Circuit, word: Word, t: FixedType, count: int) -> Word:
    """The `count` most significant bits of a word as `t` holds it, as an unsigned integer."""
    low = word.frac - t.frac + t.width - count
    high = low + count - 1
    if high < 0:
        return circuit.constant(0)
    return circuit.bits(word, high, max(low, 0)).scaled(max(-low, 0))
