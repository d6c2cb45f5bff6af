"""What is kept between runs: checked when it is read, within a bound, never in the way."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from gatewright.circuit import Circuit
from gatewright.cli import commands as cli
from gatewright.errors import InputError
from gatewright.kernels.cmvm import adder_graph
from gatewright.simulate import verilator
from gatewright.synth import synthesize_files
from gatewright.system import cache
from gatewright.system.cache import cache_dir, kept, key_of, shrink, tidy
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target

DAY = 86400


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GATEWRIGHT_CACHE_SIZE", raising=False)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


def as_folder(path):
    path.unlink()
    (path / "deep").mkdir(parents=True)


def as_link(path):
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGE = {
    "first bit": lambda path: flip(path, 0),
    "a bit in the middle": lambda path: flip(path, 0.5),
    "last bit": lambda path: flip(path, 1),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a byte less": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "empty": lambda path: path.write_bytes(b""),
    "folder": as_folder,
    "device": as_link,
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


def test_data_is_made_once():
    made = []

    def make():
        made.append(1)
        return b"data"

    key = key_of("a", b"b")
    assert [kept("some", key, make) for _ in range(3)] == [b"data"] * 3
    assert len(made) == 1
    assert kept("some", key_of("ab"), lambda: b"") == b""
    assert key_of("a", "b") == key_of("a", b"b") != key_of("ab") != key_of("b", "a")


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_data_is_made_anew(how):
    kept("some", key_of("a"), lambda: b"first" * 100)
    DAMAGE[how](cache_dir() / "some" / key_of("a"))
    assert kept("some", key_of("a"), lambda: b"second") == b"second"
    assert kept("some", key_of("a"), lambda: b"third") == b"second"


@pytest.mark.parametrize("place", ["cache", "cache/some"])
def test_a_cache_that_can_not_be_written_costs_time_alone(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("in the way")
    assert [kept("some", key_of("a"), lambda: b"data") for _ in range(2)] == [b"data"] * 2


def product(matrix):
    """Values of an adder graph for an input, and how the graph is built."""
    circuit = Circuit()
    x = [circuit.input(0, i, -8, 7, 0) for i in range(len(matrix))]
    words = adder_graph(circuit, x, np.array(matrix), load_target("xcup").fabric)
    return [(word.lo, word.hi, word.frac) for word in words], len(circuit.nodes)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_adder_graph_is_solved_anew(how):
    matrix = [[3, 5], [7, -11]]
    right = product(matrix)
    (entry,) = (cache_dir() / "adders").iterdir()
    whole = entry.read_bytes()
    DAMAGE[how](entry)
    assert product(matrix) == right
    assert entry.read_bytes() == whole


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_cell_counts_are_counted_anew(tmp_path, monkeypatch, how):
    source = tmp_path / "top.sv"
    source.write_text("module top(input a, b, output c); assign c = a & b; endmodule\n")
    cells = {"modules": {"\\top": {"num_cells_by_type": {"LUT2": 1}}}}
    monkeypatch.setattr("gatewright.synth.synthesis._execute", lambda *_: cells)

    def luts():
        return synthesize_files([source], "top", load_target("xcup"), tmp_path / "out").total.lut

    assert luts() == 1
    (entry,) = (cache_dir() / "synth").iterdir()
    DAMAGE[how](entry)
    assert luts() == 1
    monkeypatch.setattr(
        "gatewright.synth.synthesis._execute", lambda *_: pytest.fail("asked again")
    )
    assert luts() == 1


@pytest.mark.parametrize("file", ["tiny.o", "tiny.hash", ""])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_object_is_compiled_anew(tmp_path, how, file):
    source = tmp_path / "tiny.cpp"
    source.write_text("int gw_tiny() { return 42; }\n")
    target = verilator._compile_cached(source, ["-O0"], None)
    whole = target.read_bytes()
    if file:
        DAMAGE[how](target.with_name(file))
    elif how in ("folder", "empty"):
        for path in target.parent.iterdir():
            path.unlink()
        target.parent.rmdir()
        target.parent.touch()
    assert verilator._compile_cached(source, ["-O0"], None) == target
    assert target.read_bytes() == whole
    assert sorted(path.name for path in target.parent.iterdir()) == ["tiny.hash", "tiny.o"]


def filled(kind, name, size, age):
    path = cache_dir() / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_what_is_longest_out_of_use_goes_first():
    paths = [filled("some", f"{i}", 1000, (9 - i) * DAY) for i in range(5)]
    lasting = filled("store", "entries/x", 9000, 99 * DAY)
    assert kept("some", "4", lambda: b"") == b""  # wrong, and used
    assert shrink(2500) == 2000 + 0
    assert [path.exists() for path in paths] == [False, False, True, True, True]
    assert shrink(age=6.5 * DAY) == 1000
    assert [path.name for path in paths if path.exists()] == ["3", "4"]
    assert lasting.exists() and shrink(0, kind="store") == 9000 and not lasting.exists()


def test_the_bound_is_kept_once_an_hour_and_spares_what_is_in_use(monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE_SIZE", "2 KB")
    old = [filled("some", f"old{i}", 1000, 3 * DAY) for i in range(3)]
    new = [filled("some", f"new{i}", 1000, 3600) for i in range(3)]
    lasting = filled("store", "entries/x", 9000, 99 * DAY)
    tidy()
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*new, lasting))
    later = filled("some", "later", 1000, 3 * DAY)
    tidy()
    assert later.exists()
    os.utime(cache_dir() / ".checked", (time.time() - 3601,) * 2)
    kept("some", key_of("x"), lambda: b"x")
    assert not later.exists()
    assert not list(cache_dir().glob("*.lock"))


def test_use_is_noted():
    path = cache_dir() / "some" / key_of("a")
    kept("some", key_of("a"), lambda: b"a")
    os.utime(path, (0, 0))
    kept("some", key_of("a"), lambda: pytest.fail("made again"))
    assert path.stat().st_mtime > time.time() - DAY


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GB", 20 * 10**9), ("1.5 tb", 1.5 * 10**12), ("0", 0), ("7k", 7000), ("500MB", 5 * 10**8)],
)
def test_sizes(text, size):
    assert cache.parse_size(text, "x") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "1" * 400, "nan", "10 gigabytes", "٣GB"])
def test_what_is_no_size_is_refused(text, monkeypatch):
    with pytest.raises(InputError, match=r"--max-size .*: write a size, such as"):
        cache.parse_size(text, "--max-size")
    with pytest.raises(InputError, match=r"--older-than .*: write an age, such as"):
        cache.parse_age(text, "--older-than")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["cache", *arguments])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


def test_the_command_shows_and_clears(capsys):
    assert run(capsys)[0] == 0
    filled("adders", "a", 1500, 2 * DAY)
    filled("adders", "b", 500, 0)
    filled("store", "entries/x", 9000, 99 * DAY)
    status, out, _ = run(capsys)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "adders: 2 entries, 2.0 kB, the oldest unused for 2.0 days"
    assert (
        lines[1].startswith("store: 1 entries, 9.0 kB") and "not counted in the limit" in lines[1]
    )
    assert lines[2] == f"{cache_dir()}: 2.0 kB of 20.0 GB"
    _, out, _ = run(capsys, "adders", "--json")
    (kind,) = json.loads(out)["kinds"]
    assert (kind["name"], kind["entries"], kind["size"]) == ("adders", 2, 2000)
    status, _, err = run(capsys, "--older-than", "1d")
    assert status == 0 and "1.5 kB removed" in err
    status, _, err = run(capsys, "nothing", "--clear")
    assert (
        status == 2 and "'nothing' is not a kind of cached data; choose from adders, store" in err
    )
    assert run(capsys, "adders", "--clear")[0] == 0
    assert [path.name for path in cache_dir().iterdir()] == ["store"]
    assert run(capsys, "--clear")[0] == 0
    assert not list(cache_dir().iterdir())


def test_a_bound_that_is_none_is_named(capsys, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE_SIZE", "much")
    status, _, err = run(capsys)
    assert status == 2 and "GATEWRIGHT_CACHE_SIZE much: write a size" in err
    assert kept("some", key_of("a"), lambda: b"a") == b"a"


def test_nothing_is_unpickled():
    """Neither by the package, nor by a library that it reads files with."""
    package = data_dir("rtl").parent / "src" / "gatewright"
    texts = [path.read_text() for path in package.rglob("*.py")]
    assert len(texts) > 100
    for word in ("import pickle", "joblib", "allow_pickle=True", "shelve", "marshal.load"):
        assert not any(word in text for text in texts), word


def test_help_starts_without_looking_at_the_cache(tmp_path):
    code = "import sys, gatewright.cli.commands; print('gatewright.system.cache' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
