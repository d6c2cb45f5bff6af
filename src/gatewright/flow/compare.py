"""Compares values of tensors: the differing vectors, and the first difference."""

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
    """The first difference between a tensor's values; None if there is none.

    Args:
        layer: The layer that computes it, by its name in reports.
        tensor: The tensor.
        expected: The expected values, int64 (vectors, ...).
        got: The actual values, of the same shape.
        reference: What computed the expected values, in words.
        subject: What computed the actual values, in words.
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
    """Indices of the vectors that differ in any of several tensors, each (vectors, ...)."""
    found = [differing_vectors(a, b.reshape(a.shape)) for a, b in zip(expected, got, strict=True)]
    return np.unique(np.concatenate(found))


def differing_vectors(expected: NDArray[np.int64], got: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the vectors with a differing element; both arrays are (vectors, ...)."""
    flat = (expected != got).reshape(len(expected), -1)
    return np.flatnonzero(flat.any(axis=1))


def first_difference(
    expected: NDArray[np.int64], got: NDArray[np.int64]
) -> tuple[int, int, int, int] | None:
    """Vector, element, expected and actual value of the first difference; None without one."""
    vectors = differing_vectors(expected, got)
    if not len(vectors):
        return None
    vector = int(vectors[0])
    a, b = expected[vector].reshape(-1), got[vector].reshape(-1)
    element = int(np.flatnonzero(a != b)[0])
    return vector, element, int(a[element]), int(b[element])
