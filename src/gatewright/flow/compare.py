"""Holding results against one another: the first difference, in the order of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatewright.results.verification import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.kernels import Tensor


def difference_of(
    layer: str,
    tensor: Tensor,
    expected: NDArray[np.int64],
    got: NDArray[np.int64],
    reference: str,
    subject: str,
) -> Difference | None:
    """The first difference of a tensor's values, (vectors, ...); None if there is none.

    Args:
        layer: which puts it out, as reports name it.
        tensor: the tensor.
        expected: its values by `reference`.
        got: its values by `subject`.
        reference: what computed the expected ones, in words.
        subject: what computed the others.
    """
    found = first_difference(expected, got)
    if found is None:
        return None
    vector, element, wanted, value = found
    return Difference(
        layer=layer,
        tensor=tensor.name,
        vector=vector,
        element=element,
        expected=wanted,
        got=value,
        type=str(tensor.type),
        reference=reference,
        subject=subject,
    )


def differing_in_any(
    expected: Sequence[NDArray[np.int64]], got: Sequence[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Indices of vectors that differ in any of several tensors, each (vectors, ...)."""
    found = [differing_vectors(a, b.reshape(a.shape)) for a, b in zip(expected, got, strict=True)]
    return np.unique(np.concatenate(found))


def differing_vectors(expected: NDArray[np.int64], got: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the vectors with an element that differs; both arrays are (vectors, ...)."""
    flat = (expected != got).reshape(len(expected), -1)
    return np.flatnonzero(flat.any(axis=1))


def first_difference(
    expected: NDArray[np.int64], got: NDArray[np.int64]
) -> tuple[int, int, int, int] | None:
    """Vector, element, expected and actual value of the first difference; None if there is none."""
    vectors = differing_vectors(expected, got)
    if not len(vectors):
        return None
    vector = int(vectors[0])
    a, b = expected[vector].reshape(-1), got[vector].reshape(-1)
    element = int(np.flatnonzero(a != b)[0])
    return vector, element, int(a[element]), int(b[element])
