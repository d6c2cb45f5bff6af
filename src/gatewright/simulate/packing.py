"""Vectors of raw integers to packed AXI4-Stream beats, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatewright.errors import DesignFailure, InputError
from gatewright.fixed import FixedType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gatewright.rtl.manifest import Port

_CHUNK_BITS = 1 << 26  # bits unpacked at a time, to one byte each


def words_per_beat(port: Port) -> int:
    """32-bit words that hold one beat of a port."""
    return -(-port.tdata_width // 32)


def _chunks(beats: int, bits: int) -> Iterator[slice]:
    step = max(1, _CHUNK_BITS // bits)
    return (slice(first, first + step) for first in range(0, beats, step))


def pack(raw: NDArray[np.int64], port: Port) -> NDArray[np.uint32]:
    """Pack vectors into the beats of a port.

    Args:
        raw: raw values of the port's type, shape (n, elements).
        port: the port; element 0 goes to the least significant bits of the first beat.

    Returns:
        One row of little-endian 32-bit words per beat, shape (n * beats, words_per_beat(port)).

    Raises:
        InputError: if the shape is wrong or a value does not fit the port's type.
    """
    raw = np.asarray(raw)
    if raw.ndim != 2 or raw.shape[1] != port.elements or not np.issubdtype(raw.dtype, np.integer):
        raise InputError(
            f"input '{port.tensor}': expected integers of shape (n, {port.elements}), "
            f"got {raw.dtype} of shape {raw.shape}"
        )
    kind = FixedType.parse(port.type)
    if raw.size and (raw.min() < kind.min or raw.max() > kind.max):
        vector, element = np.argwhere((raw < kind.min) | (raw > kind.max))[0]
        raise InputError(
            f"input '{port.tensor}', vector {vector}, element {element}: raw value "
            f"{raw[vector, element]} does not fit {kind} ({kind.min} to {kind.max})"
        )
    beats = raw.astype("<i8", copy=False).reshape(-1, port.lanes)
    words = np.zeros((len(beats), words_per_beat(port)), "<u4")
    octets = words.view(np.uint8)
    if port.width % 8 == 0:  # whole bytes need no bits
        elements = np.ascontiguousarray(beats).view(np.uint8).reshape(-1, port.lanes, 8)
        packed = elements[:, :, : port.width // 8].reshape(len(beats), -1)
        octets[:, : packed.shape[1]] = packed
        return words
    for rows in _chunks(len(beats), port.tdata_width):
        elements = np.ascontiguousarray(beats[rows]).view(np.uint8).reshape(-1, port.lanes, 8)
        bits = np.unpackbits(elements, axis=2, count=port.width, bitorder="little")
        packed = np.packbits(bits.reshape(len(elements), -1), axis=1, bitorder="little")
        octets[rows, : packed.shape[1]] = packed
    return words


def unpack(words: NDArray[np.uint32], port: Port) -> NDArray[np.int64]:
    """The inverse of `pack`.

    Raises:
        DesignFailure: if the bits of `tdata` above the last element are not zero.
    """
    used = port.lanes * port.width
    octets = np.ascontiguousarray(words).view(np.uint8)
    values = np.empty((len(words), port.lanes), np.int64)
    for rows in _chunks(len(words), octets.shape[1] * 8):
        bits = np.unpackbits(octets[rows], axis=1, bitorder="little")
        if bits[:, used:].any():
            beat = rows.start + int(np.argwhere(bits[:, used:].any(axis=1))[0, 0])
            raise DesignFailure(
                f"output '{port.tensor}', vector {beat // port.beats}: {port.prefix}_tdata has "
                f"ones above bit {used - 1}, its last bit of data"
            )
        elements = bits[:, :used].reshape(-1, port.lanes, port.width)
        packed = np.packbits(elements, axis=2, bitorder="little")
        wide = np.zeros((*packed.shape[:2], 8), np.uint8)
        wide[:, :, : packed.shape[2]] = packed
        values[rows] = wide.view("<i8")[:, :, 0]
    if FixedType.parse(port.type).signed:
        values <<= 64 - port.width
        values >>= 64 - port.width
    return values.reshape(-1, port.elements)
