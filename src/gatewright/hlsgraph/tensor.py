"""Layers that join tensors or move elements."""

from __future__ import annotations

from typing import Any

from gatewright.hlsgraph.node import attribute, integer, word


def operation(node: Any) -> str:
    """What a merge computes."""
    return word(node, "op")


def axis(node: Any, rank: int) -> int:
    """The axis, without the batch, that a concatenation of tensors of a rank joins."""
    found = integer(node, "axis")
    return found - 1 if found > 0 else found % rank


def permutation(node: Any) -> tuple[int, ...]:
    """Which axis of its input each axis of a transposition is, without the batch."""
    return tuple(int(each) for each in attribute(node, "perm"))


def vocabulary(node: Any) -> int:
    """How many rows an embedding's table has."""
    return integer(node, "vocab_size")
