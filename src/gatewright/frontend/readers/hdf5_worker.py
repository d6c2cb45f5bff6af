"""Reads an HDF5 file in a separate process, because a damaged file can hang or crash the library.

Arguments: the descriptor of the file, the descriptor of a file to write arrays to, the most bytes
to read. Prints one line of JSON: the text attributes of the root, and for each array by path its
offset and length in bytes in the written file; or `unfit` or `error` with a reason. Follows no
links. Imports nothing of Gatewright.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

import h5py
import numpy as np

_MAX_ITEMS = 100_000
_MAX_TEXT = 64 << 20


class _Unfit(Exception):
    """The file is readable, but isn't a Keras model; the text says why."""


def _attributes(file: h5py.File) -> dict[str, str]:
    found = {}
    for key in ("model_config", "keras_version", "backend"):
        if key not in file.attrs:
            continue
        # Check the size before reading: it may be anything.
        if file.attrs.get_id(key).get_storage_size() > _MAX_TEXT:
            raise _Unfit(f"its attribute '{key}' has more than {_MAX_TEXT} bytes")
        value = file.attrs[key]
        if isinstance(value, bytes):
            value = value.decode()
        if not isinstance(value, str):
            raise _Unfit(f"its attribute '{key}' is not text")
        if len(value) > _MAX_TEXT:
            raise _Unfit(f"its attribute '{key}' has more than {_MAX_TEXT} characters")
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
            raise _Unfit(f"'{prefix}' is a group that holds itself")
        seen.add(place)
        for name in group:
            # Keras on Windows writes backslashes into names of groups.
            path = f"{prefix}{name}".replace("\\", "/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _Unfit(f"'{path}' is not a group of weights")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset):
                found[path] = item
            else:
                raise _Unfit(f"'{path}' is neither a group nor an array")
            if len(found) + len(waiting) > _MAX_ITEMS:
                raise _Unfit(f"holds more than {_MAX_ITEMS} arrays")
    return dict(sorted(found.items()))


def _read(source: IO[bytes], out: IO[bytes], most: int) -> dict[str, Any]:
    with h5py.File(source, "r") as file:
        attributes = _attributes(file)
        if "model_weights" in file and not isinstance(file["model_weights"], h5py.Group):
            raise _Unfit("'model_weights' is not a group of layers")
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
                raise _Unfit(f"weight '{key}' is not an array of numbers")
            if dataset.shape is None:
                raise _Unfit(f"weight '{key}' is empty")
            total += int(dataset.size) * dataset.dtype.itemsize
            # HDF5 unpacks one chunk at a time, but the array has the full size of its shape.
            if total > most:
                raise _Unfit(f"holds more than {most} bytes of weights")
        arrays = {}
        for key, dataset in datasets.items():
            begin = out.tell()
            np.save(out, dataset[()], allow_pickle=False)
            arrays[key] = [begin, out.tell() - begin]
    return {"attributes": attributes, "arrays": arrays}


def main() -> None:
    """Read the file given on the command line."""
    source, descriptor, most = map(int, sys.argv[1:])
    try:
        with os.fdopen(source, "rb") as file, os.fdopen(descriptor, "wb") as out:
            index = _read(file, out, most)
    except _Unfit as error:
        index = {"unfit": str(error)}
    except Exception as error:  # h5py raises any exception for damaged files
        index = {"error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(index))


if __name__ == "__main__":
    main()
