"""Files of arrays, as users hand samples over."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError


def read_arrays(path: Path, alone: str) -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` or `.npz` file by name; nothing in it is unpickled.

    Args:
        path: The file.
        alone: What the only array of a `.npy` is called.

    Raises:
        InputError: if the file can't be read.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {alone: loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: can't be read as .npy or .npz ({error})") from None
