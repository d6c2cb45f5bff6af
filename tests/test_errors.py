"""Errors of the operating system in a line."""

import errno
import os

import pytest

from gatewright.errors import system_message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "gone").read_text()
    assert system_message(caught.value) == f"{tmp_path / 'gone'}: No such file or directory"


def test_of_a_copy_what_was_written_is_named():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "source", None, "target")
    assert system_message(error) == "target: No space left on device"
