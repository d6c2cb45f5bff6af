"""Look-up tables that functions of a few bits take, given by their truth tables."""

from __future__ import annotations

from collections.abc import Iterable


def luts_of_words(words: Iterable[int], width: int, inputs: int) -> int:
    """LUTs of a read-only memory in logic: each bit of its words is a function of the address.

    Bits that are constant, an address bit or the same as another bit cost nothing. Words beyond
    the last are taken to be zero.

    Args:
        words: contents from address 0 on.
        width: bits of a word, in two's complement.
        inputs: of a LUT.
    """
    listed = list(words)
    return len(_leaves(_tables(listed, width), max(1, (len(listed) - 1).bit_length()), inputs))


def distinct_bits(words: Iterable[int], width: int) -> int:
    """Bits of words that are neither constant nor the same as another bit."""
    listed = list(words)
    return len(_tables(listed, width) - {0, (1 << len(listed)) - 1})


def _tables(words: list[int], width: int) -> set[int]:
    """The distinct bits of words as functions of their address."""
    return {
        sum(1 << at for at, word in enumerate(words) if word >> bit & 1) for bit in range(width)
    }


def _leaves(tables: Iterable[int], variables: int, inputs: int) -> set[tuple[int, int]]:
    """The distinct LUTs of functions of `variables` bits, as (table, variables) after reduction.

    A function of more bits than a LUT has inputs is two of one bit less, multiplexed for free:
    devices have multiplexers behind their LUTs for that.
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
    """Whether a function is constant or one of its bits."""
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
