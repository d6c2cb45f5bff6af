"""Reads users' files of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.parsing.arrays import load_npz

#: Limit on the arrays of a file, in bytes; processing them takes several times as much memory.
LIMIT_BYTES = 1 << 30


def read_arrays(path: Path, alone: str) -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` or `.npz` file by name, all of finite numbers.

    Args:
        path: The file.
        alone: Name for the single array of a `.npy`.

    Raises:
        InputError: if the file can't be read, is too large, or contains NaN or infinite numbers.
    """
    arrays = load_npz(path, LIMIT_BYTES, alone=alone)
    for name, array in arrays.items():
        require_finite(str(path), name, array)
    return arrays


def require_finite(origin: str, name: str, array: NDArray[Any]) -> None:
    """Refuse arrays with values that are NaN or infinite.

    Args:
        origin: Source of the array, for messages.
        name: Name of the array there.
        array: Array of numbers, of any shape.

    Raises:
        InputError: if a value is NaN or infinite; names the index of the first.
    """
    if np.isfinite(array).all():
        return
    index = np.argwhere(~np.isfinite(array))[0].tolist()
    raise InputError(f"{origin}: '{name}' holds {array[tuple(index)]} at index {index}")
