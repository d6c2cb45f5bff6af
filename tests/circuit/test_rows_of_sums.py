"""Rows add up to the sum that they are made for, and take as few LUTs as they can."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit.rows import LANES, Operand, Row, build
from gatewright.fixed import width_of


def random_operands(rng: random.Random) -> list[Operand]:
    """Operands of one to eight bits, in ranges that need not fill their bits."""
    operands = []
    for source in range(rng.randint(2, 24)):
        low = -rng.randint(0, 1 << rng.randint(0, 6)) if rng.random() < 0.5 else 0
        high = rng.randint(max(low + 1, 1), 1 << rng.randint(1, 7))
        operands.append(
            Operand(rng.choice((-1, 1)), rng.randint(0, 7), source, low, high, rng.randint(0, 2))
        )
    return operands


def value(operand: Operand, leaves: list[int], results: list[int]) -> int:
    found = leaves[operand.source] if operand.source >= 0 else results[-1 - operand.source]
    return operand.sign * found << operand.shift


def columns_of(row: Row) -> list[int]:
    return [
        column
        for operand in row.operands
        for column in range(operand.shift, operand.shift + width_of(operand.lo, operand.hi))
    ]


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=150, deadline=None)
def test_rows_are_the_sum(seed, natural):
    rng = random.Random(seed)
    operands = random_operands(rng)
    constant = sum(each.inverted for each in operands) if natural else rng.randint(-500, 500)
    ends = [sorted((each.sign * each.lo, each.sign * each.hi)) for each in operands]
    lo = constant + sum(low << each.shift for (low, _), each in zip(ends, operands, strict=True))
    hi = constant + sum(high << each.shift for (_, high), each in zip(ends, operands, strict=True))
    columns = width_of(lo, hi)
    rows = build(operands, None if natural else constant, columns)
    assert rows == build(operands, None if natural else constant, columns)
    for row in rows:
        assert all(columns_of(row).count(column) <= LANES for column in range(columns))
    for pick in (min, max, rng.choice):
        leaves = [pick((each.lo, each.hi)) for each in operands]
        results: list[int] = []
        for number, row in enumerate(rows):
            total = row.constant + sum(value(each, leaves, results) for each in row.operands)
            if number < len(rows) - 1:
                # No sign, and no wider than its reader takes it to be.
                assert total >= 0 and total % (1 << row.shift) == 0
                (reader,) = (
                    each for each in rows[row.reader].operands if each.source == -1 - number
                )
                assert total >> row.shift < 1 << width_of(reader.lo, reader.hi)
            results.append(total >> row.shift)
        expected = constant + sum(value(each, leaves, []) for each in operands)
        assert total == expected


@pytest.mark.parametrize(
    ("operands", "luts"),
    [
        ([(1, 0, 0, 255), (1, 0, 0, 255)], 8),  # a LUT per bit; the ninth is the carry
        ([(1, 0, 0, 255)] * 3, 8),
        ([(1, 0, 0, 255), (1, 4, 0, 255)], 8),  # four bits are wires
        ([(-1, 0, 0, 255), (1, 4, 0, 255)], 12),  # which inverted bits are not
        ([(1, 0, 0, 15), (1, 4, 0, 15)] * 3, 8),  # short ones beside each other
        ([(1, 0, 0, 15), (1, 4, 0, 15)], 0),  # nothing to add
    ],
)
def test_a_row_costs_a_lut_per_column(operands, luts):
    made = [Operand(sign, shift, i, lo, hi, 0) for i, (sign, shift, lo, hi) in enumerate(operands)]
    assert [row.area for row in build(made, None, 16)] == [luts]


def test_many_narrow_operands_take_less_than_a_lut_per_bit():
    operands = [Operand(1, 2 * (i % 4), i, 0, 3, 0) for i in range(36)]
    rows = build(operands, 0, 12)
    assert sum(row.area for row in rows) <= 40  # of 72 bits; a row for each triple takes 70


def test_a_constant_has_a_place_in_a_row():
    # 37 - a - b: columns of two bits have room for a third.
    operands = [Operand(-1, 0, i, 0, 255, 0) for i in range(2)]
    assert len(build(operands, 37, 10)) == 1
