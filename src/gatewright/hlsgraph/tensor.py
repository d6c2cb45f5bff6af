"""Layers that merge tensors or rearrange elements."""

from __future__ import annotations

from typing import Any

from gatewright.hlsgraph.node import attribute, integer, word


def operation(node: Any) -> str:
    """The operation of a merge."""
    return word(node, "op")


def axis(node: Any, rank: int) -> int:
    """The axis of a concatenation of tensors with this rank, both without the batch."""
    found = integer(node, "axis")
    return found - 1 if found > 0 else found % rank


def permutation(node: Any) -> tuple[int, ...]:
    """The axes of the input in the order of the axes of a transposition, without the batch."""
    return tuple(int(each) for each in attribute(node, "perm"))


def vocabulary(node: Any) -> int:
    """Number of rows of an embedding's table."""
    return integer(node, "vocab_size")
