"""Results are made once per content, found from then on, and never used when damaged."""

import json
import os
import pickle
import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.errors import InputError
from gatewright.store import Check, Store, key_of

SOUND = Check(lost=(), orphaned=(), corrupt=())


def make(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "model.txt").write_text("a model")
    return {"accuracy": 0.5, "losses": [1.5, 0.25]}


def never(folder):
    raise AssertionError("made again")


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def nothing_is_left(store):
    return not below(store.root / "making") and not below(store.root / "locks")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_an_entry_is_made_once_and_then_found(store):
    made = store.obtain("step", {"bits": 4, "layers": ("a", "b")}, make)
    assert not made.cached
    assert made.key == key_of("step", {"layers": ["a", "b"], "bits": 4})
    assert made.content == {"bits": 4, "layers": ["a", "b"]}
    assert made.record == {"accuracy": 0.5, "losses": [1.5, 0.25]}
    assert made.size == 256 * 40 + len("a model")
    assert below(made.directory) == ["deep", "deep/weights.bin", "entry.json", "model.txt"]
    assert made.directory.stat().st_mode & 0o777 == (made.directory / "deep").stat().st_mode & 0o777

    found = store.obtain("step", {"layers": ["a", "b"], "bits": 4}, never)
    assert found.cached
    assert found.seconds == made.seconds
    assert found == store.find(made.key) == Store(store.root).find(made.key)
    assert pickle.loads(pickle.dumps(store)).find(made.key) == found  # noqa: S301
    assert nothing_is_left(store)
    assert store.check() == SOUND


def test_reading_an_absent_store_makes_none(store):
    assert store.find(key_of("step", {})) is None
    assert store.entries() == store.entries("step") == []
    assert store.check() == SOUND
    assert store.size() == 0
    store.remove(key_of("step", {}))
    assert not store.root.exists()


def test_an_error_of_the_maker_leaves_nothing(store):
    def fail(folder):
        make(folder)
        raise FileNotFoundError(2, "No such file", "data.csv")

    with pytest.raises(FileNotFoundError, match=r"data\.csv"):
        store.obtain("step", {}, fail)
    assert nothing_is_left(store)
    assert store.entries() == []
    assert not store.obtain("step", {}, make).cached


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), {1: 2}, {3}, b"x", object()])
def test_what_json_has_no_word_for_is_refused(store, odd):
    with pytest.raises(InputError, match=r"content\.data\[1\] is "):
        store.obtain("step", {"data": [0, odd]}, never)
    with pytest.raises(InputError, match=r"record\.loss is "):
        store.obtain("step", {}, lambda _: {"loss": odd})
    assert nothing_is_left(store)
    assert store.entries() == []


def test_an_entry_holds_files_and_folders_only(store):
    def link(folder):
        (folder / "model.h5").symlink_to("elsewhere")
        return {}

    def clash(folder):
        (folder / "entry.json").write_text("{}")
        return {}

    for odd in (link, clash):
        with pytest.raises(ValueError, match="can't hold this"):
            store.obtain("step", {}, odd)
    assert nothing_is_left(store)


def test_entries_are_listed_by_kind_and_removed_by_key(store):
    keys = [store.obtain("data", {"n": n}, make).key for n in range(3)]
    model = store.obtain("model", {}, make)
    assert sorted(entry.key for entry in store.entries("data")) == sorted(keys)
    assert [entry.key for entry in store.entries("model")] == [model.key]
    assert len(store.entries()) == 4
    assert store.entries("other") == []
    created = [entry.created for entry in store.entries()]
    assert created == sorted(created)

    before = store.size()
    store.remove(keys[1])
    assert store.size() < before - 256 * 40
    assert store.find(keys[1]) is None
    assert len(store.entries("data")) == 2
    assert store.check() == SOUND
    assert nothing_is_left(store)
    store.remove(keys[1])
    with pytest.raises(InputError, match="is not a key"):
        store.remove("../data")


def test_the_index_answers_in_sql(store):
    entry = store.obtain("model", {"bits": 4}, make)
    with closing(sqlite3.connect(store.root / "index.sqlite")) as index:
        rows = index.execute(
            "select key, kind, created, seconds, bytes,"
            " json_extract(content, '$.bits'), json_extract(record, '$.accuracy') from entries"
        ).fetchall()
    assert rows == [(entry.key, "model", entry.created, entry.seconds, entry.size, 4, 0.5)]


def truncate(folder):
    os.truncate(folder / "deep" / "weights.bin", 100)


def flip(folder):
    path = folder / "deep" / "weights.bin"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


def flip_keeping_the_time(folder):
    path = folder / "deep" / "weights.bin"
    status = path.stat()
    flip(folder)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def lose_a_file(folder):
    (folder / "model.txt").unlink()


def file_becomes_folder(folder):
    (folder / "model.txt").unlink()
    (folder / "model.txt").mkdir()


def lose_the_record(folder):
    (folder / "entry.json").unlink()


def garble_the_record(folder):
    (folder / "entry.json").write_text("{")


def alter_a_figure(folder):
    path = folder / "entry.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))


def alter_the_form(folder):
    path = folder / "entry.json"
    path.write_text(json.dumps([json.loads(path.read_text())]))


DAMAGES = [
    truncate,
    flip,
    flip_keeping_the_time,
    lose_a_file,
    file_becomes_folder,
    lose_the_record,
    garble_the_record,
    alter_a_figure,
    alter_the_form,
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("checked", [False, True])
def test_a_damaged_entry_is_made_again(store, damage, checked):
    key = store.obtain("model", {"n": 1}, make).key
    other = store.obtain("model", {"n": 2}, make)
    damage(store.root / "entries" / key)
    assert store.find(key) is None
    assert [entry.key for entry in store.entries("model")] == [other.key]
    if checked:
        assert store.check() == Check(lost=(), orphaned=(), corrupt=(key,))
        assert store.check().corrupt == (key,)
    again = store.obtain("model", {"n": 1}, make)
    assert not again.cached
    assert (again.directory / "deep" / "weights.bin").read_bytes() == bytes(range(256)) * 40
    assert store.find(key).record["accuracy"] == 0.5
    assert store.check() == SOUND
    assert nothing_is_left(store)


def test_an_entry_under_another_name_is_none(store):
    entry = store.obtain("model", {"n": 1}, make)
    other = key_of("model", {"n": 2})
    shutil.copytree(entry.directory, entry.directory.with_name(other))
    assert store.find(other) is None
    assert not store.obtain("model", {"n": 2}, make).cached
    assert store.check() == SOUND


def test_the_folders_are_the_truth(store):
    keys = sorted(store.obtain("model", {"n": n}, make).key for n in range(3))
    with closing(sqlite3.connect(store.root / "index.sqlite")) as index:
        index.execute("delete from entries where key = ?", [keys[0]])
        index.commit()
    shutil.rmtree(store.root / "entries" / keys[1])
    assert [entry.key for entry in store.entries("model")] == sorted(
        [keys[0], keys[2]], key=lambda key: (store.find(key).created, key)
    )
    with closing(sqlite3.connect(store.root / "index.sqlite")) as index:
        index.execute("delete from entries where key = ?", [keys[0]])
        index.commit()
    assert store.check() == Check(lost=(keys[1],), orphaned=(keys[0],), corrupt=())
    assert store.check() == SOUND
    assert store.find(keys[0]) is not None
    assert store.find(keys[1]) is None


@pytest.mark.parametrize("damage", ["missing", "garbage", "cut", "other table", "folder"])
def test_without_a_sound_index_nothing_is_lost(store, damage):
    entries = [store.obtain("model", {"n": n}, make) for n in range(12)]
    index = store.root / "index.sqlite"
    if damage == "garbage":
        index.write_bytes(b"not a database" * 1000)
    elif damage == "cut":
        os.truncate(index, index.stat().st_size - 4096)
    else:
        index.unlink()
    if damage == "other table":
        with closing(sqlite3.connect(index)) as database:
            database.execute("create table entries (something)")
    if damage == "folder":
        index.mkdir()
    for entry in entries:
        assert store.obtain("model", entry.content, never).record == entry.record
    assert len(store.entries("model")) == 12
    new = store.obtain("model", {"n": -1}, make)
    assert store.find(new.key) is not None
    if damage != "folder":  # that one can't be mended
        store.check()
        assert store.check() == SOUND


def test_files_are_read_again_only_if_they_changed(store, monkeypatch):
    from gatewright.store.entry import Sealed

    read = []
    whole = Sealed.whole
    monkeypatch.setattr(Sealed, "whole", lambda self: read.append(self.entry.key) or whole(self))
    entry = store.obtain("model", {}, make)
    store.find(entry.key)
    assert read == []
    os.utime(entry.directory / "model.txt")
    for _ in range(3):
        assert store.find(entry.key) is not None
    assert read == [entry.key]
    store.check()
    assert len(read) == 2


def test_an_unreadable_entry_is_an_error_and_not_made_again(store, monkeypatch):
    """A disk that fails to read for a moment must not cost a result."""
    from pathlib import Path

    entry = store.obtain("model", {}, make)

    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(InputError, match=r"cannot be read: .*Input/output error"):
        store.obtain("model", {}, never)
    monkeypatch.undo()
    assert store.find(entry.key) is not None


def test_a_project_stays_as_it_is_left(store):
    with store.project("trial", {"model": "a", "clock": 5}) as directory:
        assert directory == store.root / "projects" / key_of("trial", {"clock": 5, "model": "a"})
        (directory / "stamp").write_text("done")
    with pytest.raises(KeyError), store.project("trial", {"clock": 5, "model": "a"}) as again:
        assert again == directory
        assert (again / "stamp").read_text() == "done"
        raise KeyError
    assert (directory / "stamp").exists()
    with store.project("trial", {}) as empty:
        pass
    assert not empty.exists()
    assert nothing_is_left(store)
    store.remove(directory.name)
    assert not directory.exists()


def test_what_is_in_the_way_of_the_store_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*: cannot be written \(Not a directory\)"):
        Store(tmp_path / "file" / "store").obtain("step", {}, never)


scalars = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
finite = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))
json_values = st.recursive(
    finite, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
contents = st.dictionaries(st.text(max_size=3), json_values, max_size=4)


def shuffled(value, random):
    """The same value; keys in another order, tuples for lists."""
    if isinstance(value, dict):
        items = [(name, shuffled(item, random)) for name, item in value.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return tuple(shuffled(item, random) for item in value)
    return value


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b, strict=True))
    return repr(a) == repr(b)


@given(contents, st.randoms(use_true_random=False))
def test_a_key_does_not_depend_on_order(content, random):
    assert key_of("k", content) == key_of("k", shuffled(content, random))


@given(st.text(), contents, st.text(), contents)
def test_keys_differ_exactly_when_contents_do(kind, content, other_kind, other_content):
    equal = kind == other_kind and same(content, other_content)
    assert (key_of(kind, content) == key_of(other_kind, other_content)) == equal


@given(contents, st.data())
def test_any_change_of_a_value_changes_the_key(content, data):
    """Changes are drawn, as two contents drawn apart are hardly ever close."""
    if not content:
        return
    name = data.draw(st.sampled_from(sorted(content)))
    changed = content | {name: data.draw(json_values)}
    assert (key_of("k", content) == key_of("k", changed)) == same(content, changed)
    assert key_of("k", content) != key_of("k", {n: v for n, v in content.items() if n != name})


@pytest.mark.parametrize(
    ("a", "b"), [(1, 1.0), (1, True), (0, None), ("1", 1), ([], {}), (0.0, -0.0)]
)
def test_values_that_python_takes_for_equal_have_keys_of_their_own(a, b):
    assert key_of("k", {"x": a}) != key_of("k", {"x": b})
