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
    """32-bit words that hold the `tdata` of one transfer of a port."""
    return -(-port.tdata_width // 32)


def _chunks(beats: int, bits: int) -> Iterator[slice]:
    step = max(1, _CHUNK_BITS // bits)
    return (slice(first, first + step) for first in range(0, beats, step))


def pack(raw: NDArray[np.int64], port: Port) -> NDArray[np.uint32]:
    """Pack vectors into the transfers of a port.

    The bytes of the array are what a bus moves, first to last: with a bus width, the memory that a
    DMA engine reads.

    Args:
        raw: raw values of the port's type, shape (n, elements).
        port: the port; element 0 goes to the least significant bits of the first beat.

    Returns:
        A row of little-endian 32-bit words per transfer, shape (n * beats, words_per_beat(port)).

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
    words = np.zeros((len(raw) * port.beats, words_per_beat(port)), "<u4")
    octets = words.view(np.uint8)
    if port.bus_width:
        frames = octets.reshape(len(raw), -1)[:, : port.octets]
        packed = np.zeros((len(raw) * port.stream_beats, port.beat_width // 8), np.uint8)
        _fill(packed, raw, port)
        frames[:] = packed.reshape(frames.shape)
    else:
        _fill(octets, raw, port)
    return words


def _fill(octets: NDArray[np.uint8], raw: NDArray[np.int64], port: Port) -> None:
    """Put the elements of each beat into the first bytes of a row."""
    beats = raw.astype("<i8", copy=False).reshape(-1, port.lanes)
    if port.width % 8 == 0:  # whole bytes need no bits
        elements = np.ascontiguousarray(beats).view(np.uint8).reshape(-1, port.lanes, 8)
        packed = elements[:, :, : port.width // 8].reshape(len(beats), -1)
        octets[:, : packed.shape[1]] = packed
        return
    for rows in _chunks(len(beats), port.beat_width):
        elements = np.ascontiguousarray(beats[rows]).view(np.uint8).reshape(-1, port.lanes, 8)
        bits = np.unpackbits(elements, axis=2, count=port.width, bitorder="little")
        packed = np.packbits(bits.reshape(len(elements), -1), axis=1, bitorder="little")
        octets[rows, : packed.shape[1]] = packed


def unpack(words: NDArray[np.uint32], port: Port) -> NDArray[np.int64]:
    """The inverse of `pack`.

    Raises:
        DesignFailure: if bits of `tdata` that are padding are not zero.
    """
    used = port.lanes * port.width
    octets = np.ascontiguousarray(words).view(np.uint8)
    if port.bus_width:
        frames = octets.reshape(-1, port.beats * port.tdata_width // 8)
        if frames[:, port.octets :].any():
            vector = int(np.argwhere(frames[:, port.octets :].any(axis=1))[0, 0])
            raise DesignFailure(
                f"output '{port.tensor}', vector {vector}: the last word of {port.prefix}_tdata "
                f"has ones above byte {port.octets - 1} of the tensor, its last"
            )
        octets = frames[:, : port.octets].reshape(-1, port.beat_width // 8)
    values = np.empty((len(octets), port.lanes), np.int64)
    for rows in _chunks(len(octets), octets.shape[1] * 8):
        bits = np.unpackbits(octets[rows], axis=1, bitorder="little")
        if bits[:, used:].any():
            beat = rows.start + int(np.argwhere(bits[:, used:].any(axis=1))[0, 0])
            raise DesignFailure(
                f"output '{port.tensor}', vector {beat // port.stream_beats}: {port.prefix}_tdata "
                f"has ones above bit {used - 1} of a beat, its last bit of data"
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


def recorded_words(port: Port) -> int:
    """32-bit words that hold what the bench records of a transfer: `tdata`, then `tkeep`."""
    return -(-(port.tdata_width + port.keep_bits) // 32)


def unpack_recorded(rows: NDArray[np.uint32], port: Port) -> NDArray[np.int64]:
    """Vectors of what the bench recorded.

    Args:
        rows: of `recorded_words(port)` words per transfer.
        port: an output.

    Raises:
        DesignFailure: if `tkeep` is not as it must be, or as of `unpack`.
    """
    words = words_per_beat(port)
    if port.keep:
        octets = np.ascontiguousarray(rows).view(np.uint8)[:, port.tdata_width // 8 :]
        size = octets.shape[1]
        every = (1 << port.keep_bits) - 1
        marks = [*[every] * (port.beats - 1), port.last_keep]
        want = np.frombuffer(b"".join(mark.to_bytes(size, "little") for mark in marks), np.uint8)
        wrong = (octets.reshape(-1, port.beats, size) != want.reshape(-1, size)).any(axis=2)
        if wrong.any():
            vector, word = np.argwhere(wrong)[0]
            raise DesignFailure(
                f"output '{port.tensor}', vector {vector}, word {word}: {port.prefix}_tkeep does "
                "not mark the bytes of the tensor"
            )
    return unpack(rows[:, :words], port)
