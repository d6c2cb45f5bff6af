"""What was built here is told from what came from elsewhere, by content."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatewright.errors import InputError
from gatewright.system import built


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "library.so"
    path.write_bytes(b"code")
    return path


def test_nothing_is_ours_before_it_was_recorded(library, tmp_path):
    assert not built.is_ours(library)
    built.record(library)
    assert built.is_ours(library)
    assert not built.is_ours(tmp_path / "missing.so")


def test_content_counts_and_not_the_name(library, tmp_path):
    built.record(library)
    assert built.is_ours(library.rename(tmp_path / "moved.so"))
    library.write_bytes(b"other code")
    assert not built.is_ours(library)


@pytest.mark.parametrize("others", [stat.S_IWGRP, stat.S_IWOTH])
def test_records_that_others_can_write_tell_nothing(library, cache, others):
    built.record(library)
    theirs = library.with_name("theirs.so")
    theirs.write_bytes(b"code of others")
    built.record(theirs)
    (cache / "built").chmod(0o700 | others)
    assert not built.is_ours(library)
    built.record(library)
    assert built.is_ours(library)
    assert not built.is_ours(theirs)


def test_records_of_another_user_tell_nothing(library, cache, monkeypatch):
    built.record(library)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert not built.is_ours(library)


def test_records_are_bounded_and_the_ones_in_use_stay(tmp_path, monkeypatch, cache):
    monkeypatch.setattr(built, "_MOST", 8)
    files = [tmp_path / f"file{i}" for i in range(9)]
    for age, path in enumerate(files):
        path.write_text(path.name)
        built.record(path)
        if age < len(files) - 1:
            for old in (cache / "built").iterdir():
                about = old.stat()
                os.utime(old, ns=(0, about.st_mtime_ns - 10**9))
    assert [built.is_ours(path) for path in files] == [False] * 4 + [True] * 5


def test_many_record_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(built, "_MOST", 20)
    files = [tmp_path / f"file{i}" for i in range(100)]
    for path in files:
        path.write_text(path.name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(built.record, files))
    # Which of them are kept is a matter of the clock's ticks.
    assert sum(map(built.is_ours, files)) <= 20
    built.record(files[0])
    assert built.is_ours(files[0])


def test_a_new_record_stays_although_others_are_as_young(tmp_path, monkeypatch):
    monkeypatch.setattr(built, "_MOST", 20)
    at_once = time.time_ns()
    for i in range(60):
        path = tmp_path / f"file{i}"
        path.write_text(path.name)
        built.record(path)
        assert built.is_ours(path)
        for kept in built._folder().iterdir():
            os.utime(kept, ns=(at_once, at_once))


def test_a_record_that_cannot_be_kept_is_said(library, cache):
    cache.write_text("a file")
    with pytest.raises(InputError, match="set GATEWRIGHT_CACHE to a writable directory"):
        built.record(library)
