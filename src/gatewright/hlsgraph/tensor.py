"""Layers that merge tensors or rearrange elements."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Einsum:
    """Which axes of two tensors are multiplied, summed over and kept; see `kernels.Einsum`."""

    orders: tuple[tuple[int, ...], tuple[int, ...]]
    shared: int
    summed: int
    made: tuple[int, ...]
    order: tuple[int, ...]


def einsum(node: Any) -> Einsum:
    """The axes of an Einsum node."""
    first, second, order, made = (
        tuple(int(each) for each in attribute(node, name))
        for name in ("inp0_tpose_idxs", "inp1_tpose_idxs", "out_tpose_idxs", "out_interpert_shape")
    )
    return Einsum(
        (first, second), integer(node, "n_inplace"), integer(node, "n_contract"), made, order
    )


def vocabulary(node: Any) -> int:
    """Number of rows of an embedding's table."""
    return integer(node, "vocab_size")
