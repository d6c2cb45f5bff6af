"""Arrays in files: read by name, refused in one line, never unpickled."""

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.samples import read_arrays


class Intruder:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


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


def test_what_can_not_be_read_is_named(tmp_path):
    objects = np.array([Intruder()], object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", x=objects)
    whole = (tmp_path / "objects.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("objects.npy", "objects.npz", "half.npz", "empty.npy", "none.npy"):
        with pytest.raises(InputError, match=rf"{name}: can't be read as \.npy or \.npz") as caught:
            read_arrays(tmp_path / name, "x")
        assert "\n" not in str(caught.value)
