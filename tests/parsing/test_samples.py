"""Samples in files: every reader takes numbers, names what else is there, and unpickles nothing."""

import io
import zipfile
from typing import ClassVar

import numpy as np
import pytest

from gatewright.compress.quantize_files import _read_data
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.flow.inputs import read_inputs
from gatewright.kernels import Tensor
from gatewright.parsing.samples import read_arrays


class Intruder:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


class Design:
    inputs = (Tensor("x", (3,), FixedType.parse("fixed<6,2>")),)
    kernels = ()
    tensors = inputs
    labels: ClassVar = {}

    def readers(self, _):
        return []


READERS = {
    "arrays": lambda path: read_arrays(path, "x"),
    "inputs": lambda path: read_inputs(path, Design()),
    "data": lambda path: _read_data(path, ["x"], ["y"]),
}
BAD = {
    "nan": np.array([[0, 1, 2], [0, np.nan, 2]]),
    "infinite": np.array([[0, np.inf, 2]], np.float32),
    "complex": np.ones((2, 3), complex),
    "text": np.array([["a", "b", "c"]]),
    "bytes": np.array([[b"a", b"b", b"c"]]),
    "objects": np.array([[Intruder(), 1, 2]], object),
    "fields": np.zeros((2, 3), [("a", "f4"), ("b", "i4")]),
    "dates": np.zeros((2, 3), "datetime64[s]"),
    "spans": np.zeros((2, 3), "timedelta64[s]"),
}


def written(folder, array, name="x", **options):
    path = folder / "x.npz"
    (np.savez_compressed if options.pop("small", False) else np.savez)(path, **{name: array})
    return path


def refusal(reader, path):
    with pytest.raises(InputError) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_what_is_no_number(tmp_path, reader, kind, suffix):
    if suffix == "npz":
        path = written(tmp_path, BAD[kind])
    else:
        path = tmp_path / "x.npy"
        np.save(path, BAD[kind], allow_pickle=True)
    message = refusal(reader, path)
    if kind == "nan":
        assert "'x' holds nan at index [1, 1]" in message


@pytest.mark.parametrize("reader", READERS)
def test_a_small_file_that_unpacks_to_much(tmp_path, reader):
    path = tmp_path / "x.npz"
    header = io.BytesIO()
    shape = (1 << 30, 3)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1 << 20))
    assert "more than the limit of 1.1 GB" in refusal(reader, path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_odd_compression(tmp_path, reader, way):
    content = io.BytesIO()
    np.save(content, np.zeros((2, 3)))
    with zipfile.ZipFile(tmp_path / "x.npz", "w", way) as archive:
        archive.writestr("x.npy", content.getvalue())
    refusal(reader, tmp_path / "x.npz")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_half_a_file(tmp_path, reader, share, suffix):
    path = written(tmp_path, np.zeros((20, 3)))
    if suffix == "npy":
        path = tmp_path / "x.npy"
        np.save(path, np.zeros((20, 3)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refusal(reader, path)


@pytest.mark.parametrize("reader", ["inputs"])
@pytest.mark.parametrize(
    "array",
    [
        np.float64(1),
        np.zeros((0, 3)),
        np.zeros((2, 4)),
        np.zeros((2, 0)),
        np.zeros((2, 3), bool),
        np.full((2, 3), 2**63 - 1),
        np.full((2, 3), 2**64 - 1, np.uint64),
        np.zeros((2, 3), np.longdouble),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_numbers_that_do_not_fit(tmp_path, reader, array):
    refusal(reader, written(tmp_path, array))


@pytest.mark.parametrize(
    "dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "u1", "<i2", ">i4", "<i8", ">u8"]
)
def test_numbers_of_every_kind_mean_the_same(tmp_path, dtype):
    values = np.array([[0, 1, 0], [1, 1, 0]])
    (words,) = read_inputs(written(tmp_path, values.astype(dtype)), Design()).words
    np.testing.assert_array_equal(words, values * 16)
    (samples,), labels = _read_data(written(tmp_path, values.astype(dtype)), ["x"], ["y"])
    np.testing.assert_array_equal(samples, values)
    assert labels is None


@pytest.mark.parametrize("size", [3e38, 1e300, 1e-300, -1e308])
def test_sizes_beyond_all_types(tmp_path, size):
    """As C++ casts them; networks compute with 32 bits, and what they can't hold is named."""
    (words,) = read_inputs(written(tmp_path, np.full((2, 3), size)), Design()).words
    assert words.shape == (2, 3) and (np.abs(words) <= 32).all()
    if abs(size) > 4e38:
        message = refusal("data", written(tmp_path, np.full((2, 3), size)))
        assert "holds inf" in message or "holds -inf" in message


def test_a_damaged_model_folder_names_the_data():
    from types import ModuleType

    from gatewright.compress.dataset import load_data

    module = ModuleType("model")
    module.__file__ = "folder/model.py"
    x, y = np.array([[0.0], [np.nan]], np.float32), np.zeros(2, np.int64)
    module.load_data = lambda: (x, y, x[:1], y[:1])
    with pytest.raises(
        InputError, match=r"folder/model\.py: 'x_train' holds nan at index \[1, 0\]"
    ):
        load_data(module, {}, "fixed<6,2>", 0.0)


def test_arrays_by_name(tmp_path):
    x, y = np.arange(6.0).reshape(2, 3), np.arange(2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "xy.npz", x=x, y=y)
    (alone,) = read_arrays(tmp_path / "x.npy", "it").items()
    assert alone[0] == "it"
    np.testing.assert_array_equal(alone[1], x)
    both = read_arrays(tmp_path / "xy.npz", "it")
    assert list(both) == ["x", "y"]
    np.testing.assert_array_equal(both["y"], y)
