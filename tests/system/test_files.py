"""A file is written whole or not at all."""

import pytest

from gatewright.errors import InputError
from gatewright.system.files import write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.md"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="cannot be written"):
        write_text(path / "below" / "a file", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a directory, not a file"):
        write_text(tmp_path / "folder", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "out.md"]
