"""Files of arrays are read within a bound, or refused in one line; nothing is unpickled."""

import io
import os
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.parsing.arrays import load_npz

LIMIT = 1 << 20


class Intruder:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def headed(header, data=b"", version=(1, 0), length=None):
    """An array's file with a header of one's own."""
    text = header if isinstance(header, bytes) else (repr(header) + "\n").encode()
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + data


def described(shape, descr="<f8", order=False):
    return {"descr": descr, "fortran_order": order, "shape": shape}


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def patched(archive, at, value):
    """An archive with two bytes of each record of a member changed: `at` of its local header."""
    data = bytearray(archive)
    for signature, offset in ((b"PK\3\4", at), (b"PK\1\2", at + 2)):
        start = data.index(signature) + offset
        data[start : start + 2] = struct.pack("<H", value)
    return bytes(data)


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(24, dtype=">i2").reshape(2, 3, 4)),
    np.array(7, np.uint8),
    np.zeros((0, 3), np.float16),
    np.array([True, False]),
    np.arange(40_000, dtype=np.uint64),
]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(tmp_path, save):
    named = {f"array {i}": array for i, array in enumerate(ARRAYS)}
    save(tmp_path / "all.npz", **named)
    found = load_npz(tmp_path / "all.npz", LIMIT)
    assert list(found) == list(named)
    for name, array in named.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        np.save(tmp_path / "one.npy", array)
        (alone,) = load_npz(tmp_path / "one.npy", LIMIT, alone="it").items()
        assert alone[0] == "it"
        np.testing.assert_array_equal(alone[1], array, strict=True)


ONE = zipped(("x.npy", npy(np.arange(4.0))))
HOSTILE = {
    "empty": b"",
    "text": b"x = 3\n",
    "magic alone": b"\x93NUMPY",
    "no length": b"\x93NUMPY\1\0",
    "objects": npy(np.array([Intruder()], object), allow_pickle=True),
    "objects in an archive": zipped(
        ("x.npy", npy(np.array([Intruder()], object), allow_pickle=True))
    ),
    "complex": npy(np.zeros(3, complex)),
    "text elements": npy(np.array(["a", "b"])),
    "records": npy(np.zeros(2, [("a", "i4"), ("b", "f8")])),
    "dates": npy(np.zeros(2, "datetime64[s]")),
    "more than the limit": npy(np.zeros(LIMIT // 8 + 1)),
    "a bomb": zipped(("x.npy", npy(np.zeros(LIMIT // 8 + 1)))),
    "a bomb of many": zipped(*((f"x{i}.npy", npy(np.zeros(LIMIT // 80))) for i in range(11))),
    "an absurd shape": headed(described((10**30,))),
    "absurd where it is empty": headed(described((0, 10**30))),
    "a negative extent": headed(described((-1, 8)), bytes(64)),
    "extents of truth": headed(described((True, 2.5)), bytes(64)),
    "too many axes": headed(described((1,) * 200), bytes(8)),
    "no tuple": headed(described([2]), bytes(16)),
    "no dictionary": headed("x"),
    "wrong keys": headed({"shape": (1,)}),
    "no type": headed(described((1,), descr="<q9"), bytes(8)),
    "type of a wrong kind": headed(described((1,), descr=[[[]]]), bytes(8)),
    "a header that nests": headed(b"(" * 9000),
    "a header with NUL": headed(b"\0" * 64),
    "a long header": headed(b" " * 60_000),
    "a header that says it is long": headed(described((1,)), version=(2, 0), length=2**32 - 1),
    "a later version": headed(described((1,)), bytes(8), version=(3, 0)),
    "short data": headed(described((4,)), bytes(31)),
    "long data": headed(described((4,)), bytes(33)),
    "short data in an archive": zipped(("x.npy", headed(described((4,)), bytes(31)))),
    "no array in it": zipped(("readme.txt", b"hello")),
    "twice": zipped(("x.npy", npy(np.arange(4.0))), ("y.npy", npy(np.arange(5.0)))).replace(
        b"y.npy", b"x.npy"
    ),
    "encrypted": patched(ONE, 6, 1),
    "unknown compression": patched(ONE, 8, 97),
    "bzip2": zipped(("x.npy", npy(np.arange(4.0))), compression=zipfile.ZIP_BZIP2),
    "lzma": zipped(("x.npy", npy(np.arange(4.0))), compression=zipfile.ZIP_LZMA),
    "another checksum": patched(ONE, 14, 0x1234),
    "half an archive": ONE[: len(ONE) // 2],
    "an archive's start": b"PK",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_file_of_arrays_is_named(tmp_path, kind):
    path = tmp_path / "it.npz"
    path.write_bytes(HOSTILE[kind])
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            load_npz(path, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.fullmatch(rf"{re.escape(str(path))}: [^\n]+", str(caught.value))
    assert len(str(caught.value)) < 300 + len(str(path))
    assert peak < 3 * LIMIT


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "it.npz"
    np.savez_compressed(path, x=np.arange(40.0), y=np.arange(9, dtype=np.int8))
    whole = path.read_bytes()
    before = load_npz(path, LIMIT)
    refused = 0
    for bit in rng.integers(8 * len(whole), size=400):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            found = load_npz(path, LIMIT)
        except InputError:
            refused += 1
            continue
        for name, array in found.items():  # a name has no checksum
            np.testing.assert_array_equal(array, before["x" if array.size == 40 else "y"], name)
    assert refused > 200


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_at_all_is_named(tmp_path, make):
    path = tmp_path / "it.npz"
    make(path)
    with pytest.raises(InputError, match=r"it\.npz: can't be read as \.npy or \.npz \("):
        load_npz(path, LIMIT)
    with pytest.raises(InputError, match=r"none\.npz: can't be read .*\(No such file"):
        load_npz(tmp_path / "none.npz", LIMIT)
