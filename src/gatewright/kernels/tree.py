"""Balanced reduction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def combine(items: Sequence[_T], function: Callable[[_T, _T], _T]) -> _T:
    """The items combined in pairs, in the order of `reduce` of nnet_common.h.

    Its left part has the greatest power of two of items that is less than their number.
    """
    if len(items) == 1:
        return items[0]
    left = 1 << ((len(items) - 1).bit_length() - 1)
    return function(combine(items[:left], function), combine(items[left:], function))
