"""Circuits: graphs of word-level operations on integers whose ranges are known."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import (
    WORD_BITS,
    FixedType,
    Rounding,
    cast,
    cast_range,
    is_lossless,
    width_of,
)


class Op(StrEnum):
    """What a node computes; `Node.attr` is given after each."""

    INPUT = "input"  # attr: (port, element)
    CONST = "const"  # attr: value
    SUM = "sum"  # attr: ((sign, shift), ...) per argument: sum of sign * arg << shift
    MUL = "mul"  # no attr; the product belongs in a DSP block
    CAST = "cast"  # attr: Cast
    ROUND_EVEN = (
        "round_even"  # attr: bits to drop; the argument already includes half a unit of the result
    )
    COMPARE = "compare"  # attr: (relation, shift of a, shift of b); 0 or 1
    SELECT = "select"  # attr: (shift of a, shift of b); args: condition, a, b
    TABLE = "table"  # attr: contents, one integer per index; arg: index, from 0
    BITS = "bits"  # attr: (high, low): these bits of the argument in two's complement, unsigned


class Cast(NamedTuple):
    """Attribute of a CAST node: from `frac` fractional bits to `to`."""

    frac: int
    to: FixedType


class Node(NamedTuple):
    """One operation; `args` are indices of earlier nodes, `lo` and `hi` bound its integer value."""

    op: Op
    args: tuple[int, ...]
    attr: Any
    lo: int
    hi: int

    @property
    def signed(self) -> bool:
        """Whether the word needs a sign bit."""
        return self.lo < 0

    @property
    def width(self) -> int:
        """Bits that hold every value between `lo` and `hi`; at least 1."""
        return width_of(self.lo, self.hi)


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a circuit: the integer of `node`, in units of 2**-frac.

    Scaling by a power of two is another view of the same node and costs nothing.
    """

    circuit: Circuit = field(repr=False, compare=False)
    node: int
    frac: int

    @property
    def lo(self) -> int:
        """Least value in units of 2**-frac."""
        return self.circuit.nodes[self.node].lo

    @property
    def hi(self) -> int:
        """Greatest value in units of 2**-frac."""
        return self.circuit.nodes[self.node].hi

    def scaled(self, exponent: int) -> Word:
        """The word times 2**exponent."""
        return Word(self.circuit, self.node, self.frac - exponent)


class Circuit:
    """A graph under construction. Words come from `input` and `constant` and the methods below."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.sections: list[str] = []  # per node: which part of the layer it belongs to
        self.section = ""
        self.outputs: list[int] = []
        self._known: dict[tuple[Op, tuple[int, ...], object], int] = {}

    def add(self, op: Op, args: tuple[int, ...], attr: object, lo: int, hi: int) -> int:
        """Index of the node with this operation, added unless an equal one exists."""
        key = (op, args, attr)
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self.nodes)
            self.nodes.append(Node(op, args, attr, lo, hi))
            self.sections.append(self.section)
        return index

    def input(self, port: int, element: int, lo: int, hi: int, frac: int) -> Word:
        """Element `element` of input port `port`, known to lie within [lo, hi]."""
        if lo == hi:
            return self.constant(lo, frac)
        return Word(self, self.add(Op.INPUT, (), (port, element), lo, hi), frac)

    def constant(self, value: int, frac: int = 0) -> Word:
        """The constant value * 2**-frac."""
        if value == 0:
            frac = 0
        while value and value % 2 == 0:
            value, frac = value // 2, frac - 1
        return Word(self, self.add(Op.CONST, (), value, value, value), frac)

    def value_of(self, word: Word) -> int | None:
        """The integer (in units of 2**-frac) of a constant word; None if it isn't constant."""
        node = self.nodes[word.node]
        return node.lo if node.lo == node.hi else None

    # Arithmetic

    def sum(self, terms: Iterable[tuple[int, Word]]) -> Word:
        """Exact sum of (sign, word) terms, sign being +1 or -1, as a tree of two-operand sums."""
        constant, frac, variable = 0, 0, []
        for sign, word in terms:
            value = self.value_of(word)
            if value is None:
                variable.append((sign, word))
            elif value:
                if word.frac > frac:
                    constant, frac = constant << (word.frac - frac), word.frac
                constant += sign * value << (frac - word.frac)
        if constant:
            variable.append((1, self.constant(constant, frac)))
        if not variable:
            return self.constant(0)
        # Shallow, narrow words first: the tree is as deep as a balanced one and no wider.
        queue = [(0, word.hi - word.lo, i, sign, word) for i, (sign, word) in enumerate(variable)]
        heapq.heapify(queue)
        serial = len(queue)
        while len(queue) > 1:
            depth_a, _, _, sign_a, a = heapq.heappop(queue)
            depth_b, _, _, sign_b, b = heapq.heappop(queue)
            if sign_a < 0 and sign_b < 0:
                sign, word = -1, self.add_words(((1, a), (1, b)))
            elif sign_a < 0:
                sign, word = 1, self.add_words(((1, b), (-1, a)))
            else:
                sign, word = 1, self.add_words(((1, a), (sign_b, b)))
            depth = max(depth_a, depth_b) + 1
            heapq.heappush(queue, (depth, word.hi - word.lo, serial, sign, word))
            serial += 1
        _, _, _, sign, word = queue[0]
        return word if sign > 0 else self.add_words(((-1, word),))

    def add_words(self, terms: Sequence[tuple[int, Word]]) -> Word:
        """One SUM node over one to three (sign, word) terms."""
        if len(terms) == 1 and terms[0][0] > 0:
            return terms[0][1]
        frac = max(word.frac for _, word in terms)
        args = tuple(word.node for _, word in terms)
        attr = tuple((sign, frac - word.frac) for sign, word in terms)
        lo, hi = sum_range([(self.nodes[arg], *term) for arg, term in zip(args, attr, strict=True)])
        return Word(self, self.add(Op.SUM, args, attr, lo, hi), frac)

    def mul(self, a: Word, b: Word) -> Word:
        """Exact product, in a multiplier; by a constant 0 or power of two it is no product."""
        if self.value_of(a) is not None:
            a, b = b, a
        value = self.value_of(b)
        if value is not None:
            other = self.value_of(a)
            if other is not None:
                return self.constant(value * other, a.frac + b.frac)
            if value == 0:
                return self.constant(0)
            if abs(value) & (abs(value) - 1) == 0:
                scaled = a.scaled(abs(value).bit_length() - 1 - b.frac)
                return scaled if value > 0 else self.add_words(((-1, scaled),))
        corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        node = self.add(Op.MUL, (a.node, b.node), None, min(corners), max(corners))
        return Word(self, node, a.frac + b.frac)

    def cast(self, word: Word, to: FixedType) -> Word:
        """The word rounded and fitted to a type; the same node where nothing can be lost."""
        if is_lossless(word.lo, word.hi, word.frac, to):
            return word
        lo, hi = cast_range(word.lo, word.hi, word.frac, to)
        if lo == hi:
            return self.constant(lo, to.frac)
        return Word(self, self.add(Op.CAST, (word.node,), Cast(word.frac, to), lo, hi), to.frac)

    def round_even(self, word: Word, dropped: int) -> Word:
        """Drop the last bits of a sum that half a unit of the result has been added to.

        What remains of convergent rounding then: truncation, and the last bit cleared on a tie,
        where all dropped bits are zero.
        """
        half = 1 << (dropped - 1)
        unlimited = FixedType(WORD_BITS, WORD_BITS - word.frac + dropped, True, Rounding.RND_CONV)
        lo, hi = cast_range(word.lo - half, word.hi - half, word.frac, unlimited)
        if lo == hi:
            return self.constant(lo, word.frac - dropped)
        node = self.add(Op.ROUND_EVEN, (word.node,), dropped, lo, hi)
        return Word(self, node, word.frac - dropped)

    # Decisions

    def compare(self, relation: str, a: Word, b: Word) -> Word:
        """1 where `a relation b` holds ("<", "<=", ">", ">=", "==", "!="), else 0."""
        frac = max(a.frac, b.frac)
        shift_a, shift_b = frac - a.frac, frac - b.frac
        a_lo, a_hi, b_lo, b_hi = a.lo << shift_a, a.hi << shift_a, b.lo << shift_b, b.hi << shift_b
        always, never = {
            "<": (a_hi < b_lo, a_lo >= b_hi),
            "<=": (a_hi <= b_lo, a_lo > b_hi),
            ">": (a_lo > b_hi, a_hi <= b_lo),
            ">=": (a_lo >= b_hi, a_hi < b_lo),
            "==": (a_lo == a_hi == b_lo == b_hi, a_hi < b_lo or a_lo > b_hi),
            "!=": (a_hi < b_lo or a_lo > b_hi, a_lo == a_hi == b_lo == b_hi),
        }[relation]
        if always or never:
            return self.constant(int(always))
        attr = (relation, shift_a, shift_b)
        return Word(self, self.add(Op.COMPARE, (a.node, b.node), attr, 0, 1), 0)

    def select(self, condition: Word, a: Word, b: Word) -> Word:
        """`a` where the condition is 1, else `b`."""
        decided = self.value_of(condition)
        if decided is not None:
            return a if decided else b
        frac = max(a.frac, b.frac)
        shift_a, shift_b = frac - a.frac, frac - b.frac
        if (a.node, shift_a) == (b.node, shift_b):
            return a
        lo = min(a.lo << shift_a, b.lo << shift_b)
        hi = max(a.hi << shift_a, b.hi << shift_b)
        args = (condition.node, a.node, b.node)
        return Word(self, self.add(Op.SELECT, args, (shift_a, shift_b), lo, hi), frac)

    def maximum(self, a: Word, b: Word) -> Word:
        """The greater of two words."""
        return self.select(self.compare(">=", a, b), a, b)

    def minimum(self, a: Word, b: Word) -> Word:
        """The lesser of two words."""
        return self.select(self.compare("<=", a, b), a, b)

    # Look-up

    def table(self, index: Word, contents: Sequence[int], frac: int) -> Word:
        """Entry `index` (an integer from 0) of a table of raw values with `frac` fractional bits.

        Raises:
            ValueError: if the index can leave the table, or is not an integer.
        """
        if index.frac > 0:
            raise ValueError("a table index has no fractional bits")
        first, last = index.lo << -index.frac, index.hi << -index.frac
        if first < 0 or last >= len(contents):
            raise ValueError(f"index {first}..{last} leaves a table of {len(contents)} entries")
        if index.frac < 0:
            contents, index = contents[:: 1 << -index.frac], index.scaled(index.frac)
            first, last = index.lo, index.hi
        reachable = contents[first : last + 1]
        lo, hi = min(reachable), max(reachable)
        if lo == hi:
            return self.constant(lo, frac)
        attr = tuple(int(entry) for entry in contents[: last + 1])
        return Word(self, self.add(Op.TABLE, (index.node,), attr, lo, hi), frac)

    def bits(self, word: Word, high: int, low: int) -> Word:
        """Bits high..low of a word's two's complement, unsigned; bit 0 has weight 2**-frac."""
        if word.lo >= 0 and high >= word.hi.bit_length():
            high = max(low, word.hi.bit_length() - 1)
            if low == 0:
                return Word(self, word.node, 0)
        value = self.value_of(word)
        mask = (1 << (high - low + 1)) - 1
        if value is not None:
            return self.constant((value >> low) & mask)
        hi = mask if word.lo < 0 else min(mask, word.hi >> low)
        if hi == 0:
            return self.constant(0)
        return Word(self, self.add(Op.BITS, (word.node,), (high, low), 0, hi), 0)

    # Evaluation

    def evaluate(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Value of every output node, in its own units.

        Args:
            inputs: per port, raw words of shape (batch, elements), int64.

        Returns:
            int64 of shape (batch, len(self.outputs)).
        """
        batch = len(inputs[0])
        values: list[NDArray[np.int64]] = []
        for node in self.nodes:
            values.append(_evaluate(node, [values[arg] for arg in node.args], inputs, batch))
        return np.stack([values[index] for index in self.outputs], axis=1)


_RELATIONS = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def _evaluate(
    node: Node,
    args: list[NDArray[np.int64]],
    inputs: tuple[NDArray[np.int64], ...],
    batch: int,
) -> Any:
    match node.op, node.attr:
        case Op.INPUT, (port, element):
            return inputs[port][:, element]
        case Op.CONST, int(value):
            return np.full(batch, value, np.int64)
        case Op.SUM, tuple(terms):
            total = np.zeros(batch, np.int64)
            for (sign, shift), arg in zip(terms, args, strict=True):
                total += sign * (arg << shift)
            return total
        case Op.MUL, _:
            return args[0] * args[1]
        case Op.CAST, Cast(frac, to):
            return cast(args[0], frac, to)
        case Op.ROUND_EVEN, int(dropped):
            tie = args[0] & ((1 << dropped) - 1) == 0
            return (args[0] >> dropped) & ~tie.astype(np.int64)
        case Op.COMPARE, (relation, shift_a, shift_b):
            return _RELATIONS[relation](args[0] << shift_a, args[1] << shift_b).astype(np.int64)
        case Op.SELECT, (shift_a, shift_b):
            return np.where(args[0] != 0, args[1] << shift_a, args[2] << shift_b)
        case Op.TABLE, tuple(contents):
            return np.asarray(contents, np.int64)[args[0]]
        case Op.BITS, (high, low):
            return (args[0] >> low) & ((1 << (high - low + 1)) - 1)
    raise AssertionError(node)


def sum_range(terms: Sequence[tuple[Node, int, int]]) -> tuple[int, int]:
    """Bounds of the sum of sign * node << shift over (node, sign, shift) terms."""
    lo = hi = 0
    for node, sign, shift in terms:
        lo += (node.lo if sign > 0 else -node.hi) << shift
        hi += (node.hi if sign > 0 else -node.lo) << shift
    return lo, hi
