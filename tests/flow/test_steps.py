"""Steps run once per content, and leave what stood there when they fail."""

import ast
import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

import gatewright
from gatewright.errors import DesignFailure, InputError
from gatewright.flow import steps
from gatewright.flow.results import ConvertResults
from gatewright.flow.steps import hash_files, held, key_of, read_stamp, run_step, tool_versions
from gatewright.system.files import remove, replaced_file, write_text
from waiting import wait_until


def _fail(error):
    raise error


def test_a_step_runs_again_only_with_another_key_or_subject(tmp_path):
    first = run_step(tmp_path, "s", "k1", lambda: {"a": 1}, subject="x")
    assert first.fresh
    again = run_step(tmp_path, "s", "k1", lambda: _fail(AssertionError()), subject="x")
    assert not again.fresh and again.results == {"a": 1} and again.seconds == first.seconds
    assert run_step(tmp_path, "s", "k1", lambda: {"a": 2}, subject="y").fresh
    assert run_step(tmp_path, "s", "k2", lambda: {"a": 3}, subject="y").results == {"a": 3}


@pytest.mark.parametrize("error", [InputError("wrong"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_step_that_could_not_run_keeps_the_old_stamp(tmp_path, error):
    run_step(tmp_path, "s", "old", lambda: {"a": 1})
    with pytest.raises(type(error)):
        run_step(tmp_path, "s", "new", lambda: _fail(error))
    assert read_stamp(tmp_path, "s").key == "old"
    assert [path.name for path in (tmp_path / "steps").iterdir()] == ["s.json"]


def test_a_design_that_failed_has_no_stamp(tmp_path):
    run_step(tmp_path, "s", "old", lambda: {"a": 1})
    with pytest.raises(DesignFailure):
        run_step(tmp_path, "s", "new", lambda: _fail(DesignFailure("no")))
    assert list((tmp_path / "steps").iterdir()) == []


def sealed(change):
    """A stamp whose hash is right, with other fields: as someone may write it on purpose."""

    def spoil(text):
        fields = json.loads(text)["stamp"]
        change(fields)
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
        return json.dumps({"sha256": digest, "stamp": fields})

    return spoil


DAMAGE = {
    **{repr(text): lambda _, text=text: text for text in ("", "null", "[]", "{}", '{"key": 1}')},
    "garbage": lambda text: text[:-20],
    "another figure": lambda text: text.replace("123", "124"),
    "nested": lambda _: "[" * 100_000,
    "a long number": lambda text: text.replace("123", "9" * 5000),
    "no number": sealed(lambda f: f.update(seconds="1")),
    "not finite": lambda text: text.replace('"seconds": 0', '"seconds": NaN'),
    "no key": sealed(lambda f: f.pop("key")),
    "results of another type": sealed(lambda f: f.update(results=[])),
    "a result of another type": sealed(lambda f: f["results"].update(layers="3")),
    "a negative result": sealed(lambda f: f["results"].update(layers=-3)),
    "no hash of a file": sealed(lambda f: f.update(files={"a": "b"})),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_stamp_is_none_and_is_made_again(tmp_path, how):
    results = ConvertResults(layers=3, latency=123)
    run_step(tmp_path, "convert", "k", lambda: results)
    path = tmp_path / "steps" / "convert.json"
    path.write_text(DAMAGE[how](path.read_text()))
    assert read_stamp(tmp_path, "convert") is None
    again = run_step(tmp_path, "convert", "k", lambda: results)
    assert again.fresh and again.cause == "steps/convert.json is damaged"
    assert read_stamp(tmp_path, "convert").results == results


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda path: path.unlink(), "deep/a.txt is missing"),
        (lambda path: path.write_text("other"), "deep/a.txt has changed since it was made"),
        (lambda path: path.write_text(""), "deep/a.txt has changed since it was made"),
        (lambda path: (path.unlink(), path.mkdir()), "deep/a.txt cannot be read"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "deep/a.txt cannot be read"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "deep/a.txt is a link"),
    ],
)
def test_a_step_whose_files_are_not_what_it_made_runs_again(tmp_path, spoil, cause):
    path = tmp_path / "deep" / "a.txt"

    def make():
        remove(path)
        write_text(path, "made")
        return {}

    run_step(tmp_path, "s", "k", make, made=lambda: [path])
    assert not run_step(tmp_path, "s", "k", make, made=lambda: [path]).fresh
    spoil(path)
    again = run_step(tmp_path, "s", "k", make, made=lambda: [path])
    assert again.fresh and again.cause.startswith(cause)
    assert path.read_text() == "made"


@pytest.mark.parametrize("what", ["file", "link", "pipe"])
@pytest.mark.parametrize("name", ["steps", "steps/s.json"])
def test_what_stands_in_the_place_of_stamps_goes(tmp_path, name, what):
    run_step(tmp_path, "s", "k", dict)
    remove(tmp_path / name)
    make = {
        "file": Path.touch,
        "link": lambda path: path.symlink_to("/dev/zero"),
        "pipe": os.mkfifo,
    }
    make[what](tmp_path / name)
    assert run_step(tmp_path, "s", "k", dict).fresh
    assert not run_step(tmp_path, "s", "k", dict).fresh


def test_what_killed_commands_have_left_goes_and_what_others_use_stays(tmp_path):
    left = [
        ".rtl.gatewright-abc/x.sv",
        "steps/.convert.aside",
        "sim/build-abc/fast0.cpp",
        "sim/job-abc/job.json",
        "sim/.outputs.npz.gatewright-abc",
        "synth/.xcup.gatewright-abc/log",
        ".convert.json.gatewright-abc",
    ]
    kept = ["convert.json", "report.json", "steps/verify.json", "sim/gw_bench-123", ".git/config"]
    for name in (*left, *kept):
        write_text(tmp_path / name, "x")
    with replaced_file(tmp_path / "report.json"), held(tmp_path):
        pass
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert files == sorted(kept)


def test_nothing_is_removed_from_what_is_no_project(tmp_path):
    names = ["sim", "synth", "steps/.hidden", ".rtl.gatewright-abc/x", "deep/build-1/x"]
    for name in names:
        write_text(tmp_path / name, "x")
    with held(tmp_path):
        pass
    files = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(files) == sorted(names)


def test_who_must_wait_for_a_project_says_so(tmp_path):
    said, order = [], []

    def other():
        with held(tmp_path, said.append):
            order.append("second")

    with held(tmp_path, said.append):
        thread = threading.Thread(target=other)
        thread.start()
        wait_until(lambda: said)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert said == ["another command is using it; waiting"]


def test_keys_hold_contents_code_and_tools(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("1")
    before, key = hash_files([file]), key_of("x", 1)
    assert key == key_of("x", 1) != key_of("x", 2)
    file.write_text("2")
    assert hash_files([file]) != before
    versions = tool_versions() | {"verilator": "0"}
    monkeypatch.setattr("gatewright.flow.steps.tool_versions", lambda: versions)
    assert key_of("x", 1) != key
    with pytest.raises(InputError, match="nope: cannot be read"):
        hash_files([tmp_path / "nope"])


def test_no_step_uses_the_code_that_its_key_leaves_out():
    """Else a change there would leave results standing that it changes."""
    package = Path(gatewright.__file__).parent
    left_out = {*steps._VIEWS, *steps._MODELS} - {"report"}  # figures are shown, not computed there
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] in {*steps._VIEWS, *steps._MODELS, "__main__.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used = {name.split(".")[1] for name in names if name.startswith("gatewright.")}
            assert not used & left_out, path
