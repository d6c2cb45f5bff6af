"""Reads an HDF5 file in a separate process, because a damaged file can hang or crash the library.

A script of `worker`. Its argument is the descriptor of the file. It gives the text attributes of
the root, and the arrays by path, and follows no links.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any

import h5py

Put = Callable[[str, Any], None]

_MAX_ITEMS = 100_000
_MAX_TEXT = 64 << 20


class Unfit(Exception):
    """The file is readable, but isn't a Keras model; the text says why."""


def _attributes(file: h5py.File) -> dict[str, str]:
    found = {}
    for key in ("model_config", "keras_version", "backend"):
        if key not in file.attrs:
            continue
        # Check the size before reading: it may be anything.
        if file.attrs.get_id(key).get_storage_size() > _MAX_TEXT:
            raise Unfit(f"its attribute '{key}' has more than {_MAX_TEXT} bytes")
        value = file.attrs[key]
        if isinstance(value, bytes):
            value = value.decode()
        if not isinstance(value, str):
            raise Unfit(f"its attribute '{key}' is not text")
        if len(value) > _MAX_TEXT:
            raise Unfit(f"its attribute '{key}' has more than {_MAX_TEXT} characters")
        found[key] = value
    return found


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """All datasets by path. Links, which could name other files, are refused."""
    found: dict[str, h5py.Dataset] = {}
    seen: set[Any] = set()
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:
            raise Unfit(f"'{prefix}' is a group that holds itself")
        seen.add(place)
        for name in group:
            # Keras on Windows writes backslashes into names of groups.
            path = f"{prefix}{name}".replace("\\", "/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Unfit(f"'{path}' is not a group of weights")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset):
                found[path] = item
            else:
                raise Unfit(f"'{path}' is neither a group nor an array")
            if len(found) + len(waiting) > _MAX_ITEMS:
                raise Unfit(f"holds more than {_MAX_ITEMS} arrays")
    return dict(sorted(found.items()))


def _read(source: IO[bytes], put: Put, most: int) -> dict[str, str]:
    with h5py.File(source, "r") as file:
        attributes = _attributes(file)
        if "model_weights" in file and not isinstance(file["model_weights"], h5py.Group):
            raise Unfit("'model_weights' is not a group of layers")
        datasets = _datasets(file)
        if "model_weights" in file:
            start = "model_weights/"
            datasets = {
                k.removeprefix(start): d for k, d in datasets.items() if k.startswith(start)
            }
        else:
            start = "optimizer_weights/"
            datasets = {k: d for k, d in datasets.items() if not k.startswith(start)}
        total = 0
        for key, dataset in datasets.items():
            if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "fiub":
                raise Unfit(f"weight '{key}' is not an array of numbers")
            if dataset.shape is None:
                raise Unfit(f"weight '{key}' is empty")
            total += int(dataset.size) * dataset.dtype.itemsize
            # HDF5 unpacks one chunk at a time, but the array has the full size of its shape.
            if total > most:
                raise Unfit(f"holds more than {most} bytes of weights")
        for key, dataset in datasets.items():
            put(key, dataset[()])
    return attributes


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Read the file of a descriptor."""
    with os.fdopen(int(arguments[0]), "rb") as file:
        return _read(file, put, most)
