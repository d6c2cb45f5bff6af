"""Arrays and text between two processes, in a file that both have open."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.parsing.arrays import read_array

#: Bytes of an array of samples, or of a result.
MAX_SAMPLES = 1 << 34

#: Where something begins in the file, and how many bytes it takes.
Place = list[int]


class Exchange:
    """A file that one process fills and then the other reads.

    Args:
        descriptor: of the open file, which both processes have.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def put(self, arrays: Mapping[str, NDArray[Any]], text: str = "") -> tuple[list[Place], Place]:
        """Replace the file; returns where each array is, and the text."""
        places = []
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        # Opened anew each time, as a buffer would outlive what the other process writes.
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            for array in arrays.values():
                begin = file.tell()
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
                places.append([begin, file.tell() - begin])
            begin = file.tell()
            file.write(text.encode())
            return places, [begin, file.tell() - begin]

    def array(self, place: Place, most: int) -> NDArray[Any]:
        """The array at a place.

        Args:
            place: Where it is.
            most: Bytes that it may take.

        Raises:
            ValueError: if there is none.
        """
        content = self._read(place)
        return read_array(io.BytesIO(content), len(content), most)

    def text(self, place: Place) -> str:
        """The text at a place."""
        return self._read(place).decode()

    def _read(self, place: Place) -> bytes:
        begin, length = place
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(begin)
            return file.read(length)
