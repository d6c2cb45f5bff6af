"""Number of LUTs of functions of a few bits, from their truth tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import ClassVar

from pydantic import ConfigDict


@dataclass(frozen=True)
class Tables:
    """The look-up tables of a family.

    Attributes:
        inputs: inputs of a LUT.
        free_choice: whether there are multiplexers after LUTs that choose one of two.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    inputs: int
    free_choice: bool


def luts_of_words(words: Iterable[int], width: int, tables: Tables) -> int:
    """LUTs of a ROM in logic, in which each bit of a word is a function of the address.

    Bits that are constant, equal to an address bit, or equal to another bit are free. Words after
    the last are assumed to be zero.

    Args:
        words: contents from address 0 on.
        width: bits of a word, in two's complement.
        tables: the look-up tables of the family.
    """
    listed = list(words)
    variables = max(1, (len(listed) - 1).bit_length())
    return len(_luts(_tables(listed, width), variables, tables))


def changing_bits(words: Iterable[int], width: int) -> int:
    """Number of bits of the words that are not constant."""
    listed = list(words)
    changing = reduce(or_, (word ^ listed[0] for word in listed), 0)
    return (changing & ((1 << width) - 1)).bit_count()


def distinct_bits(words: Iterable[int], width: int) -> int:
    """Number of bits of the words that are neither constant nor equal to another bit."""
    listed = list(words)
    return len(_tables(listed, width) - {0, (1 << len(listed)) - 1})


def _tables(words: list[int], width: int) -> set[int]:
    """The truth tables of the words' bits as functions of the address, without duplicates."""
    return {
        sum(1 << at for at, word in enumerate(words) if word >> bit & 1) for bit in range(width)
    }


def _luts(functions: Iterable[int], variables: int, tables: Tables) -> set[tuple[int, int]]:
    """The distinct LUTs, as (table, variables), of functions of `variables` bits.

    A function with more bits than a LUT has inputs is split into two with one bit less, which a
    multiplexer chooses from: a LUT if it isn't free.
    """
    found: set[tuple[int, int]] = set()
    for table in functions:
        if variables <= tables.inputs:
            if not _is_wire(table, variables):
                full = (1 << (1 << variables)) - 1
                found.add((min(table, full ^ table), variables))
            continue
        half = 1 << (variables - 1)
        low, high = table & ((1 << half) - 1), table >> half
        parts = (low,) if low == high else (low, high)
        if len(parts) > 1 and not tables.free_choice:
            found.add((min(table, (1 << 2 * half) - 1 ^ table), variables))
        found |= _luts(parts, variables - 1, tables)
    return found


def _is_wire(table: int, variables: int) -> bool:
    """Whether a function is constant, or one of its variables or its inverse."""
    size = 1 << variables
    full = (1 << size) - 1
    if table in (0, full):
        return True
    for variable in range(variables):
        run = 1 << variable
        period = ((1 << run) - 1) << run
        bit = sum(period << at for at in range(0, size, 2 * run))
        if table in (bit, full ^ bit):
            return True
    return False
