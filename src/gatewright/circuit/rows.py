"""Rows of adders for a sum of many operands, on fabrics that add three numbers at a LUT per bit.

A row adds whatever has at most three bits in a column: three numbers, or many short ones beside
each other. It takes a LUT per column, so that a long and full row removes nearly two bits per LUT,
a short one only one. A sum of many narrow operands is a heap of bits, from which rows are taken
that are long and full, until a last one is left.

In a row, subtracted bits enter inverted, and so does the sign bit of an operand that is not
subtracted: -b = (1 - b) - 1. This costs nothing but a constant. All rows except the last leave out
that constant, so that their results have no sign; the last one makes up for it. What is left to add
has a place wherever a column of a row has fewer than three bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import NamedTuple

from gatewright.fixed import width_of

#: Operand bits that a column of a row can have.
LANES = 3

# Heights of columns are packed into one integer, so that a row is tried in a few operations.
_FIELD = 4

# A heap is built several times at random. Each row is the best of some tries, and the search is
# shorter for large heaps, which gain little and take long: operands to the power of 1.5.
_SEARCHES = 30
_EFFORT = 2500
_TRIES = 6

#: Searches without a better result before the last one.
_VAIN = 10

#: Rows whose sign is tried both ways to make room for a constant.
_TURNED = 4

#: Operands in a row that don't fit before a try ends.
_PATIENCE = 50

#: LUTs that a row may take for each bit that it removes. A heap takes the fewest LUTs with about
#: this one, not with that of the best of all rows.
_CREDIT = 0.6

#: How much deeper than others an operand may be and yet be taken before them.
_IMPATIENCE = 1.5

_NEVER = 1 << 30


class Operand(NamedTuple):
    """sign * value << shift.

    Attributes:
        sign: +1 or -1.
        shift: its unit is 2**shift.
        source: what the value is: a number that the caller knows, or -1 - index of a row.
        lo: least value.
        hi: greatest value.
        depth: rows before it.
    """

    sign: int
    shift: int
    source: int
    lo: int
    hi: int
    depth: int

    @property
    def end(self) -> int:
        """The column above its last one."""
        return self.shift + width_of(self.lo, self.hi)

    @property
    def inverted(self) -> int:
        """The columns whose bits enter inverted, as bits of an integer."""
        sign = 1 << self.end - 1 if self.lo < 0 else 0
        return sign if self.sign > 0 else (1 << self.end) - (1 << self.shift) - sign

    @property
    def most(self) -> int:
        """Greatest value that its bits have, those that enter inverted included."""
        return ((self.hi if self.sign > 0 else -self.lo) << self.shift) + self.inverted

    @property
    def least(self) -> int:
        """Least value that its bits have, those that enter inverted included."""
        return ((self.lo if self.sign > 0 else -self.hi) << self.shift) + self.inverted


@dataclass
class Row:
    """A sum of operands and a constant.

    Attributes:
        operands: what it adds.
        shift: its result is in units of 2**shift.
        most: greatest value of the result in units of 1, `constant` being that of the bits alone.
        area: LUTs.
        constant: what it adds to the operands, in units of 1.
        reader: index of the row that reads it; -1 for the last one.
    """

    operands: list[Operand]
    shift: int
    most: int
    area: int
    constant: int
    reader: int = -1


def build(operands: Sequence[Operand], constant: int | None, columns: int) -> list[Row]:
    """Rows that compute a sum modulo 2**columns; the last one is the sum.

    Args:
        operands: what to add.
        constant: what to add to it; None for the one that costs nothing, the sum of
            `Operand.inverted`.
        columns: bits of the result that count.
    """
    heap = _Heap(operands, columns)
    first = heap.rows(None)
    assert first is not None
    best = heap.fitted(first, constant)
    heap.deepest = max(operand.depth for operand in first[-1].operands)
    random = Random(0)  # noqa: S311 - repeatable, no secret
    vain = 0
    for _ in range(min(_SEARCHES, int(_EFFORT / len(operands) ** 1.5))):
        if best.area <= heap.bound or vain > _VAIN:
            break
        vain += 1
        heap.limit = best.area
        found = heap.rows(random)
        if found is not None and (other := heap.fitted(found, constant)).area < best.area:
            best, vain = other, 0
    rows = best.rows
    if constant is None:
        return rows
    for row, value in zip(rows, best.placed or (), strict=False):
        row.constant += value
    rest = constant - _total(rows[:-1], _signs(rows))
    if best.placed is None:
        last = rows[-1]
        last.reader = len(rows)
        hi = last.most >> last.shift
        depth = 1 + max(each.depth for each in last.operands)
        rows.append(Row([Operand(1, last.shift, -len(rows), 0, hi, depth)], 0, 0, columns, 0))
        rest -= last.constant
    rows[-1].constant = rest
    return rows


def heap_area(heights: Sequence[int]) -> int:
    """About how many LUTs a sum takes that has so many bits in each column."""
    start = next((i for i, height in enumerate(heights) if height > 1), len(heights))
    rows = sum(max(1, height // 2) for height in heights[start:] if height)
    # The results of rows are longer than their operands.
    return rows + max(0, max(heights, default=0) // 2 - 1)


def row_area(operands: Sequence[Operand], columns: int) -> int:
    """LUTs of one row of operands, as far as its lowest `columns` columns are read."""
    return _Heap(operands, columns).row_area()


class _Fitted(NamedTuple):
    """Rows, and what each of them adds of the sum's constant.

    Attributes:
        area: LUTs.
        rows: the rows.
        placed: by row; None if the constant takes a row of its own.
    """

    area: int
    rows: list[Row]
    placed: list[int] | None


class _Part(NamedTuple):
    """An operand, as rows are tried with: everything that decides what a row costs."""

    packed: int  # heights of columns
    start: int  # the lowest column's field if its bit is inverted
    bits: int
    most: int
    shift: int
    depth: int
    operand: Operand


class _Trial(NamedTuple):
    """A row that may be taken next."""

    score: float
    parts: list[_Part]
    packed: int
    start: int
    bits: int
    most: int
    shift: int


class _Heap:
    """The bits of a sum, of which rows are taken.

    Attributes:
        bound: LUTs below which rows are hardly found.
        deepest: greatest depth that an operand of the last row may have in a search.
        limit: LUTs that a search must stay below.
    """

    def __init__(self, operands: Sequence[Operand], columns: int) -> None:
        self.columns = columns
        self.ones = _ones(columns)
        # A height of four to seven has this bit.
        self.above = self.ones << _FIELD - 2
        self.parts = sorted(
            map(self._part, operands),
            key=lambda part: (part.depth, part.shift, -part.bits),
        )
        self.bound = heap_area(self._heights())
        self.deepest = self.limit = _NEVER

    def rows(self, random: Random | None) -> list[Row] | None:
        """Rows for the heap, each taken greedily, the shallowest operands first.

        Args:
            random: tries several rows with operands in random order each time; None takes one.

        Returns:
            The rows; None if they are deeper or larger than allowed.
        """
        made: list[Row] = []
        pool, heights = list(self.parts), self._heights()
        area = 0
        while max(heights, default=0) > LANES:
            if random is None:
                trial = self._trial(pool)
            else:
                orders = (_shuffled(pool, random) for _ in range(_TRIES))
                trial = max(map(self._trial, orders), key=lambda each: each.score)
            taken = {id(part) for part in trial.parts}
            pool = [part for part in pool if id(part) not in taken]
            row = self._row(trial, made)
            hi = trial.most >> trial.shift
            depth = 1 + max(part.depth for part in trial.parts)
            result = self._part(Operand(1, trial.shift, -len(made), 0, hi, depth))
            pool.append(result)
            pool.sort(key=lambda part: part.depth)
            for part, change in (*((part, -1) for part in trial.parts), (result, 1)):
                for column in range(part.shift, part.shift + part.bits):
                    heights[column] += change
            area += row.area
            if depth > self.deepest or area >= self.limit:
                return None
        self._row(self._whole(pool), made)
        return made

    def fitted(self, rows: list[Row], constant: int | None) -> _Fitted:
        """The rows with places for a constant.

        Where there are none, some of the rows may compute the negative of their results, which
        leaves another constant to add.
        """
        if constant is None:
            return _Fitted(sum(row.area for row in rows), rows, None)
        inner = range(len(rows) - 1)[-_TURNED:]
        found = []
        for count in range(len(inner) + 1):
            for turned in combinations(inner, count):
                trial = self._turned(rows, turned) if turned else rows
                area = sum(row.area for row in trial)
                placed = _placed(trial, constant, self.columns)
                found.append(_Fitted(area + self.columns * (placed is None), trial, placed))
            best = min(found, key=lambda each: each.area)
            if best.placed is not None:
                break
        return best

    def _turned(self, rows: list[Row], turned: Sequence[int]) -> list[Row]:
        """The same rows, some of which compute the negative of what they did."""
        made: list[Row] = []
        for number, row in enumerate(rows):
            parts = []
            for each in row.operands:
                sign = -each.sign if number in turned else each.sign
                if each.source < 0:
                    source = made[-1 - each.source]
                    sign = -sign if -1 - each.source in turned else sign
                    each = each._replace(hi=source.most >> source.shift)
                parts.append(self._part(each._replace(sign=sign)))
            self._row(self._whole(parts), made)
        return made

    def _part(self, operand: Operand) -> _Part:
        bits = max(0, min(operand.end, self.columns) - operand.shift)
        packed = _ones(bits) << _FIELD * operand.shift
        start = _FIELD * operand.shift if operand.inverted >> operand.shift & 1 else _NEVER
        return _Part(packed, start, bits, operand.most, operand.shift, operand.depth, operand)

    def _heights(self) -> list[int]:
        heights = [0] * self.columns
        for part in self.parts:
            for column in range(part.shift, part.shift + part.bits):
                heights[column] += 1
        return heights

    def row_area(self) -> int:
        """LUTs of a row of everything."""
        row = self._whole(self.parts)
        return self._area(row.packed, row.start)

    def _area(self, packed: int, start: int) -> int:
        """LUTs of a row: its columns that have bits, from the first that is more than a wire."""
        several = packed >> 1 & self.ones
        if several:
            start = min(start, (several & -several).bit_length() - 1)
        return (((packed | packed >> 1) & self.ones) >> start).bit_count()

    def _score(self, packed: int, start: int, bits: int, most: int, shift: int) -> float:
        left = min(most.bit_length(), self.columns) - shift
        return _CREDIT * (bits - left) - self._area(packed, start)

    def _trial(self, order: list[_Part]) -> _Trial:
        """A row of the first operand in an order, and those after it that make the row better."""
        first = order[0]
        packed, start, bits, most, shift = first[:5]
        chosen, score, refused = [first], -float("inf"), 0
        for part in order[1:]:
            if (packed + part.packed) & self.above:
                refused += 1
                if refused > _PATIENCE:
                    break
                continue
            refused = 0
            after = (
                packed + part.packed,
                min(start, part.start),
                bits + part.bits,
                most + part.most,
                min(shift, part.shift),
            )
            better = self._score(*after)
            if len(chosen) < LANES or better > score:
                packed, start, bits, most, shift = after
                score = better
                chosen.append(part)
        return self._trimmed(_Trial(score, chosen, packed, start, bits, most, shift))

    def _trimmed(self, trial: _Trial) -> _Trial:
        """The row without the operands that it is better without."""
        while len(trial.parts) > LANES:
            others = [self._without(trial, k) for k in range(len(trial.parts))]
            best = max(others, key=lambda each: each.score)
            if best.score <= trial.score:
                break
            trial = best
        return trial

    def _without(self, trial: _Trial, index: int) -> _Trial:
        part = trial.parts[index]
        parts = [*trial.parts[:index], *trial.parts[index + 1 :]]
        after = (
            trial.packed - part.packed,
            min(each.start for each in parts),
            trial.bits - part.bits,
            trial.most - part.most,
            min(each.shift for each in parts),
        )
        return _Trial(self._score(*after), parts, *after)

    def _whole(self, pool: list[_Part]) -> _Trial:
        """A row of everything."""
        return _Trial(
            0.0,
            pool,
            sum(part.packed for part in pool),
            min((part.start for part in pool), default=_NEVER),
            sum(part.bits for part in pool),
            sum(part.most for part in pool),
            min((part.shift for part in pool), default=0),
        )

    def _row(self, trial: _Trial, made: list[Row]) -> Row:
        operands = [part.operand for part in trial.parts]
        for each in operands:
            if each.source < 0:
                made[-1 - each.source].reader = len(made)
        constant = sum(each.inverted for each in operands)
        area = self._area(trial.packed, trial.start)
        made.append(Row(operands, trial.shift, trial.most, area, constant))
        return made[-1]


def _ones(fields: int) -> int:
    return ((1 << _FIELD * fields) - 1) // ((1 << _FIELD) - 1)


def _shuffled(pool: list[_Part], random: Random) -> list[_Part]:
    return sorted(pool, key=lambda part: part.depth + _IMPATIENCE * random.random())


def _placed(rows: list[Row], constant: int, columns: int) -> list[int] | None:
    """What each row adds of the constant of a sum, beside that of its bits; None if it can't be.

    A bit of the constant goes where a column has room for it, or as two bits into the column below.
    No row's result gets wider.
    """
    signs = _signs(rows)
    left = (constant - _total(rows, signs)) % (1 << columns)
    most = [row.most for row in rows]
    free = [
        _free(row, columns) if sign > 0 else [0] * columns
        for row, sign in zip(rows, signs, strict=True)
    ]
    # Below the last row's bits there is nothing to add to, and above them the carry alone.
    low = min((each.shift for each in rows[-1].operands), default=columns)
    high = max((each.end for each in rows[-1].operands), default=0)
    free[-1][:low] = [1] * low
    free[-1][high:] = [1] * len(free[-1][high:])
    placed = [0] * len(rows)
    missing = 0
    for column in reversed(range(columns)):
        missing = 2 * missing + (left >> column & 1)
        for number in reversed(range(len(rows))):
            while missing and free[number][column] and _grown(rows, most, number, column):
                free[number][column] -= 1
                placed[number] += 1 << column
                missing -= 1
    return None if missing else placed


def _signs(rows: list[Row]) -> list[int]:
    """For each row, whether its constant is added to the sum or subtracted from it."""
    signs = [1] * len(rows)
    for number in reversed(range(len(rows))):
        for each in rows[number].operands:
            if each.source < 0:
                signs[-1 - each.source] = signs[number] * each.sign
    return signs


def _total(rows: list[Row], signs: list[int]) -> int:
    """What the constants of rows add to the sum."""
    return sum(sign * row.constant for row, sign in zip(rows, signs, strict=False))


def _free(row: Row, columns: int) -> list[int]:
    """Bits that each column of a row can take."""
    heights, inverted = [0] * columns, 0
    for operand in row.operands:
        inverted |= operand.inverted
        for column in range(operand.shift, min(operand.end, columns)):
            heights[column] += 1
    start = next((i for i, n in enumerate(heights) if n > 1 or inverted >> i & 1), columns)
    free = [0] * start + [LANES - height if height else 0 for height in heights[start:]]
    if start < columns:
        free[start] += 2  # the carry into the row, and the majority that no column below it has
    return free


def _grown(rows: list[Row], most: list[int], number: int, column: int) -> bool:
    """Whether a row can add 2**column with no result wider; then `most` says so."""
    chain = []
    while rows[number].reader >= 0:
        if (most[number] + (1 << column)).bit_length() > most[number].bit_length():
            return False
        chain.append(number)
        number = rows[number].reader
    for each in chain:
        most[each] += 1 << column
    return True
