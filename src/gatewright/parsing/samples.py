"""Files of samples, as users hand them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.parsing.arrays import load_npz

#: Bytes of the arrays of a file; what is made of them takes several times that.
LIMIT_BYTES = 1 << 30


def read_arrays(path: Path, alone: str) -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` or `.npz` file by name, of numbers; nothing in it is unpickled.

    Args:
        path: The file.
        alone: What the only array of a `.npy` is called.

    Raises:
        InputError: if the file can't be read, is too large, or holds NaN or infinite numbers.
    """
    arrays = load_npz(path, LIMIT_BYTES, alone=alone)
    for name, array in arrays.items():
        require_finite(str(path), name, array)
    return arrays


def require_finite(origin: str, name: str, array: NDArray[Any]) -> None:
    """Refuse arrays with values that are no numbers.

    Args:
        origin: Where the array is from.
        name: What it is called there.
        array: Of numbers, any shape.

    Raises:
        InputError: if a value is NaN or infinite; names the place of the first.
    """
    if np.isfinite(array).all():
        return
    index = np.argwhere(~np.isfinite(array))[0].tolist()
    raise InputError(f"{origin}: '{name}' holds {array[tuple(index)]} at index {index}")
