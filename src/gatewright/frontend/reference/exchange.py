"""Passes arrays and text between two processes through a file that both have open."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.parsing.arrays import read_array

#: Most bytes of an array of samples or results.
MAX_SAMPLES = 1 << 34

#: Offset in the file and length, in bytes.
Place = list[int]


class Exchange:
    """A file that one process fills and then the other reads.

    Args:
        descriptor: The descriptor of the file, which both processes have open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def put(self, arrays: Mapping[str, NDArray[Any]], text: str = "") -> tuple[list[Place], Place]:
        """Replace the file's contents, and return the places of the arrays and of the text."""
        places = []
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        # Open it again each time: a buffer would keep data that the other process has replaced.
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
            place: Its place.
            most: Most bytes that it may have.

        Raises:
            ValueError: if there is no array at the place, or it is too large.
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
