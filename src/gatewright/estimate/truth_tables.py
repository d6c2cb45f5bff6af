"""Number of LUTs of functions of a few bits, from their truth tables."""

from __future__ import annotations

from collections.abc import Iterable


def luts_of_words(words: Iterable[int], width: int, inputs: int) -> int:
    """LUTs of a ROM in logic, in which each bit of a word is a function of the address.

    Bits that are constant, equal to an address bit, or equal to another bit are free. Words after
    the last are assumed to be zero.

    Args:
        words: contents from address 0 on.
        width: bits of a word, in two's complement.
        inputs: inputs of a LUT.
    """
    listed = list(words)
    return len(_leaves(_tables(listed, width), max(1, (len(listed) - 1).bit_length()), inputs))


def distinct_bits(words: Iterable[int], width: int) -> int:
    """Number of bits of the words that are neither constant nor equal to another bit."""
    listed = list(words)
    return len(_tables(listed, width) - {0, (1 << len(listed)) - 1})


def _tables(words: list[int], width: int) -> set[int]:
    """The truth tables of the words' bits as functions of the address, without duplicates."""
    return {
        sum(1 << at for at, word in enumerate(words) if word >> bit & 1) for bit in range(width)
    }


def _leaves(tables: Iterable[int], variables: int, inputs: int) -> set[tuple[int, int]]:
    """The distinct LUTs, as (table, variables), of functions of `variables` bits.

    A function with more bits than a LUT has inputs is split into two with one bit less. Their
    multiplexer is free, because devices have multiplexers after their LUTs.
    """
    found: set[tuple[int, int]] = set()
    for table in tables:
        if variables <= inputs:
            if not _is_wire(table, variables):
                full = (1 << (1 << variables)) - 1
                found.add((min(table, full ^ table), variables))
            continue
        half = 1 << (variables - 1)
        low, high = table & ((1 << half) - 1), table >> half
        parts = (low,) if low == high else (low, high)
        found |= _leaves(parts, variables - 1, inputs)
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
