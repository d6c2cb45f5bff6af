"""Data for several models of the zoo, from packages of the `zoo` extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Split = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]


def digits(classes: Sequence[int] = range(10)) -> Split:
    """scikit-learn's digits, in a fixed, stratified split of three to one.

    1,797 scans of handwritten digits, 8x8 pixels of 17 grey levels (UCI's test set of optical
    recognition of handwritten digits).

    Args:
        classes: The digits to use.

    Returns:
        x_train, y_train, x_test, y_test: x is float32 [n, 8, 8, 1], pixels from 0 to 1 in steps of
        1/16; y is int64 [n], the index of the digit in `classes`.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels.astype(np.int64), test_size=0.25, stratify=labels, random_state=0
    )
    return (*_chosen(x_train, y_train, classes), *_chosen(x_test, y_test, classes))


def _chosen(
    x: NDArray[np.float32], y: NDArray[np.int64], classes: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The samples of some classes, with the indices of the classes as labels."""
    chosen = np.isin(y, classes)
    places = np.zeros(max(classes) + 1, np.int64)
    places[list(classes)] = np.arange(len(classes))
    return x[chosen], places[y[chosen]]
