"""Holding results against one another: the first difference, in the order of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """The first element that differs, in raw units of the tensor's type."""

    layer: str
    tensor: str
    vector: int
    element: int
    expected: int
    got: int
    type: str
    reference: str
    subject: str

    def __str__(self) -> str:
        return (
            f"layer '{self.layer}', vector {self.vector}, element {self.element}: "
            f"{self.reference} {self.expected}, {self.subject} {self.got} "
            f"(raw values of type {self.type})"
        )


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
